import { settingsTable } from '../settings';

/** Whether a README has the table of these settings: prettier pads cells as it likes, so blanks and dashes count as one. */
export function hasSettingsTable(readme: string, settings: object): boolean {
  return squeezed(readme).includes(squeezed(settingsTable(settings)));
}

function squeezed(text: string): string {
  return text.replace(/ +/g, ' ').replace(/-+/g, '-');
}
