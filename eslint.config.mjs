import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const APPS = ['gateway', 'rule', 'archive', 'alert', 'operator'];
/** Which libraries a library may use; everything else is refused. Apps may use every library. */
const LIB_MAY_USE = {
  proto: [],
  journal: [],
  kubernetes: [],
  service: ['proto'],
  access: ['proto', 'audit-event', 'kubernetes', 'service'],
  'audit-event': ['proto'],
  'rule-engine': ['proto', 'audit-event'],
};

const arrows = [
  { target: './libs', from: './apps', message: 'A library must not use an app.' },
  ...APPS.map((app) => ({
    target: `./apps/${app}`,
    from: './apps',
    except: [`./${app}`],
    message: 'Apps talk by RPC only; standalone alone puts them together.',
  })),
  ...Object.entries(LIB_MAY_USE).map(([lib, uses]) => ({
    target: `./libs/${lib}`,
    from: './libs',
    except: [lib, ...uses].map((name) => `./${name}`),
    message: `libs/${lib} may use only: ${uses.join(', ') || 'nothing of ours'}.`,
  })),
];

const engines = ['embedded', 'opensearch'].map((engine, at, all) => ({
  target: `./apps/archive/${engine}`,
  from: `./apps/archive/${all[1 - at]}`,
  message: 'What both engines need lies beside them.',
}));

export default defineConfig(
  globalIgnores([
    '.stryker-tmp',
    '**/dist/**',
    '**/gen/**',
    // AssemblyScript, which has types and rules of its own; its compiler checks it.
    'libs/audit-event/assembly/**',
    '**/coverage/**',
    '**/.nx/**',
    '**/data/**',
  ]),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 3],
      'no-console': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Name what you export.' },
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'Settings are read in config.ts; only libs/service/run.ts sees the environment.',
        },
        {
          selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
          message: 'Only libs/service/run.ts ends the process.',
        },
      ],
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: [...arrows, ...engines] }],
      'import-x/no-extraneous-dependencies': [
        'error',
        { devDependencies: ['**/*.test.ts', '**/testing/**', 'tools/**', 'tests/**'] },
      ],
    },
  },
  {
    files: ['libs/audit-event/**/*.ts', 'libs/rule-engine/**/*.ts'],
    ignores: ['**/*.test.ts', '**/testing/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', '!node:crypto', '!node:zlib', '!node:util', '!node:buffer'],
              message: 'This library is pure: no files, no sockets, no clock.',
            },
          ],
        },
      ],
    },
  },
  { files: ['libs/service/run.ts'], rules: { 'no-restricted-syntax': 'off' } },
  { files: ['tools/**', 'examples/**', 'apps/standalone/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.test.ts', '**/testing/**', 'tests/**'],
    rules: {
      'max-lines-per-function': 'off',
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: {
        module: 'writable',
        require: 'readonly',
        process: 'readonly',
        console: 'readonly',
        __dirname: 'readonly',
      },
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        performance: 'readonly',
      },
    },
  },
);
