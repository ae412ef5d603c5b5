import { Diagnostic, Severity } from '@auditing/proto/rule';
import { locate, type Problem } from './problem';

/** Gathers what is wrong with one resource. */
export class Report {
  readonly diagnostics: Diagnostic[] = [];

  /** @param resource - kind and name, such as `Rule/alerting-rule` */
  constructor(readonly resource: string) {}

  /** The entry at `path` is left out. */
  error(path: string, message: string): void {
    this.add(Severity.ERROR, path, message);
  }

  /** The entry at `path` is in force but hardly does what its author meant. */
  warn(path: string, message: string): void {
    this.add(Severity.WARNING, path, message);
  }

  /** Problems inside a text. */
  problems(path: string, text: string, problems: readonly Problem[]): void {
    for (const problem of problems) {
      this.diagnostics.push({ ...locate(text, problem), resource: this.resource, path });
    }
  }

  private add(severity: Severity, path: string, message: string): void {
    const { resource } = this;
    this.diagnostics.push(Diagnostic.fromPartial({ severity, resource, path, message }));
  }
}
