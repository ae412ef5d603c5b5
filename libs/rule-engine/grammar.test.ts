import { execFileSync } from 'node:child_process';

it('is what the committed parser was made of', () => {
  const check = (): Buffer =>
    execFileSync(process.execPath, [`${__dirname}/generate-grammar.mjs`, '--check'], {
      stdio: 'pipe',
    });
  expect(check).not.toThrow();
});
