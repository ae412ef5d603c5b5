// Runs the tests of this package for Stryker, in the process that Stryker starts, without jest: of jest only `expect`
// and `each` are used, and the transform of jest.preset.cjs. What costs under jest, some seconds for each of thousands
// of mutants, is starting it and compiling every module again. Here each source is compiled once; for each mutant the
// modules of this package are made anew from it (a memo must not carry what one mutant said to the next), then the
// tests that reach the mutant are run, cheap ones first, until one fails.
import { transformSync } from '@swc/core';
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import { expect } from 'expect';
import { bind } from 'jest-each';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';

const PACKAGE = 'libs/rule-engine';

/** Reads no code that has mutants, and Stryker adds a line to the generated file that it compares. */
const GRAMMAR_TEST = 'grammar.test.ts';

class MutationRunner {
  /** Where Stryker put its copy of the sources. */
  #root = process.cwd();
  #folder = join(this.#root, PACKAGE);
  #transform = readTransform(this.#root);
  /** Compiled sources, by file. */
  #wrappers = new Map();
  /** Modules of other packages and generated ones, which hold no mutant; by file. */
  #lasting = new Map();
  /** How long each test took the last time, in ms, by id. */
  #durations = new Map();

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    process.env.NODE_ENV = 'test';
    this.#load(join(this.#root, 'tools/property-tests.cjs'), this.#lasting);
  }

  async dryRun() {
    const stryker = strykerNamespace();
    const results = [];
    for (const test of this.#collectTests()) {
      stryker.currentTestId = test.id;
      results.push(await this.#run(test));
    }
    stryker.currentTestId = undefined;
    return {
      status: DryRunStatus.Complete,
      tests: results,
      mutantCoverage: stryker.mutantCoverage,
    };
  }

  async mutantRun({ activeMutant, testFilter, disableBail, hitLimit, mutantActivation }) {
    const stryker = strykerNamespace();
    const isReached = new Set(testFilter);
    Object.assign(stryker, { hitLimit, hitCount: hitLimit === undefined ? undefined : 0 });
    if (mutantActivation === 'static') stryker.activeMutant = activeMutant.id;
    try {
      const tests = this.#collectTests()
        .filter(({ id }) => testFilter === undefined || isReached.has(id))
        .sort((a, b) => this.#durationOf(a) - this.#durationOf(b));
      stryker.activeMutant = activeMutant.id;
      const results = [];
      for (const test of tests) {
        const result = await this.#run(test);
        results.push(result);
        if (result.status === TestStatus.Failed && !disableBail) break;
      }
      return toMutantRunResult(
        determineHitLimitReached(stryker.hitCount, stryker.hitLimit) ?? {
          status: DryRunStatus.Complete,
          tests: results,
        },
        disableBail,
      );
    } catch (thrown) {
      return toMutantRunResult({ status: DryRunStatus.Error, errorMessage: describeError(thrown) });
    } finally {
      stryker.activeMutant = undefined;
    }
  }

  #durationOf({ id }) {
    return this.#durations.get(id) ?? 0;
  }

  async #run({ id, name, fileName, body }) {
    const startedAt = performance.now();
    const failure = await failureOf(body);
    const timeSpentMs = performance.now() - startedAt;
    // What failed stopped early: that is not what it takes.
    if (failure === undefined) this.#durations.set(id, timeSpentMs);
    const outcome =
      failure === undefined
        ? { status: TestStatus.Success }
        : { status: TestStatus.Failed, failureMessage: failure };
    return { id, name, fileName, timeSpentMs, ...outcome };
  }

  /** Makes the modules of this package anew. */
  #collectTests() {
    const modules = new Map();
    const files = readdirSync(this.#folder).filter(
      (file) => file.endsWith('.test.ts') && file !== GRAMMAR_TEST,
    );
    return files.flatMap((file) => {
      const fileName = join(this.#folder, file);
      return testsOf(() => this.#load(fileName, modules)).map(({ name, body }, at) => ({
        ...{ id: `${file} ${at} ${name}`, name, fileName, body },
      }));
    });
  }

  /** What a module exports; it is made if `modules` lacks it. */
  #load(file, modules) {
    const isLasting = !file.startsWith(`${this.#folder}/`) || file.includes('/gen/');
    const known = (isLasting ? this.#lasting : modules).get(file);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    (isLasting ? this.#lasting : modules).set(file, module);
    const { require, resolve, wrapper } = this.#wrapperOf(file);
    const load = (request) => {
      const wanted = resolve(request);
      return wanted.endsWith('.ts') ? this.#load(wanted, modules) : require(wanted);
    };
    wrapper(module.exports, load, module, dirname(file));
    return module.exports;
  }

  #wrapperOf(file) {
    const known = this.#wrappers.get(file);
    if (known !== undefined) return known;
    const { code } = transformSync(readFileSync(file, 'utf8'), {
      ...this.#transform,
      filename: file,
      swcrc: false,
    });
    const require = createRequire(file);
    const resolve = (request) =>
      request.startsWith('.') ? `${join(dirname(file), request)}.ts` : require.resolve(request);
    const wrapper = compileFunction(code, ['exports', 'require', 'module', '__dirname'], {
      filename: file,
    });
    const made = { require, resolve: remembered(resolve), wrapper };
    this.#wrappers.set(file, made);
    return made;
  }
}

/** The options of swc in jest.preset.cjs. */
function readTransform(root) {
  const { transform } = createRequire(join(root, 'package.json'))('./jest.preset.cjs');
  const [[, options]] = Object.values(transform);
  return { ...options, sourceMaps: false };
}

function remembered(resolve) {
  const known = new Map();
  return (request) => {
    if (!known.has(request)) known.set(request, resolve(request));
    return known.get(request);
  };
}

/** Where the code that Stryker changed looks up which mutant is active, and notes which ones it passes. */
function strykerNamespace() {
  return (globalThis.__stryker__ ??= {});
}

/** The tests that a module declares while it is made. */
function testsOf(load) {
  const tests = [];
  const titles = [];
  const test = (title, body) => tests.push({ name: [...titles, title].join(' '), body });
  const describe = (title, declare) => {
    titles.push(title);
    declare();
    titles.pop();
  };
  test.each = bind(test);
  describe.each = bind(describe);
  Object.assign(globalThis, { describe, it: test, test, expect });
  load();
  return tests;
}

async function failureOf(body) {
  try {
    await body();
    return undefined;
  } catch (thrown) {
    return describeError(thrown);
  }
}

function describeError(thrown) {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

const createRunner = () => new MutationRunner();
createRunner.inject = [];

export const strykerPlugins = [
  declareFactoryPlugin(PluginKind.TestRunner, 'in-process', createRunner),
];
