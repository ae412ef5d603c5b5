import type { ApiParameter } from './api-parameters';
import type { ApiRoute } from './api-route';
import { COMPONENTS } from './api-schemas';
import { OWN_API } from './own-api';
import { EVENT_PARAMETERS } from './own-query';

/** Where the document is. */
export const OPENAPI_PATH = `${OWN_API}/openapi.json`;

/** The version of the API, which is part of its path. */
const API_VERSION = 'v1alpha1';

const ERROR = { $ref: '#/components/schemas/Error' };
/** What each question can be answered with, beside 200. */
const ERRORS: Readonly<Record<string, string>> = {
  400: 'A parameter cannot be read: which, what was expected, an example.',
  401: 'A token is asked for.',
  403: 'Whoever asks may not see it.',
  404: 'There is no such thing.',
  429: 'Too many questions of one client at once; Retry-After says when to ask again.',
  500: 'A fault of the gateway, which its log has.',
  501: 'The engine of the archive cannot do this.',
  503: 'A service is away, or too many questions are open; Retry-After says when to ask again.',
  504: 'It took too long.',
};

/** The OpenAPI 3.1 document of all routes, made from the routes themselves. */
export function openApiDocument(routes: readonly ApiRoute[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'kube-auditing query API',
      version: API_VERSION,
      description:
        'Questions about audit events, rules and alerts, and what is done by hand. A field may be followed by `~` (contains), `^` (begins with) and, before these, `!` (none of).',
    },
    paths: pathsOf(routes),
    components: {
      schemas: COMPONENTS,
      parameters: Object.fromEntries(
        EVENT_PARAMETERS.map((parameter) => [componentName(parameter.name), described(parameter)]),
      ),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { token: [] }],
  };
}

function pathsOf(routes: readonly ApiRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const operations = (paths[route.path.replace(/:(\w+)/g, '{$1}')] ??= {});
    operations[(route.method ?? 'GET').toLowerCase()] = operation(route);
  }
  return paths;
}

function operation(route: ApiRoute): object {
  const { summary, need, answerSchema, type = 'application/json' } = route;
  const content = { [type]: answerSchema === undefined ? {} : { schema: answerSchema } };
  const errors = Object.entries(ERRORS).map(([code, description]) => [
    code,
    { description, content: { 'application/json': { schema: ERROR } } },
  ]);
  return {
    summary,
    description: `Needs: ${need}.`,
    parameters: routeParameters(route),
    responses: {
      200: { description: 'The answer.', content },
      ...(Object.fromEntries(errors) as object),
    },
  };
}

function routeParameters({ parameters, choosesEvents, path }: ApiRoute): readonly object[] {
  const own = new Set(parameters.map(({ name }) => name));
  const chosen = choosesEvents ? EVENT_PARAMETERS.filter(({ name }) => !own.has(plain(name))) : [];
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const describedPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
  const undescribed = inPath.filter((name) => !describedPath.includes(name));
  return [
    ...parameters.map(described),
    ...undescribed.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1 },
    })),
    ...chosen.map(({ name }) => ({ $ref: `#/components/parameters/${componentName(name)}` })),
  ];
}

function described(parameter: ApiParameter): object {
  const { name, description, schema } = parameter;
  const where = parameter.in ?? 'query';
  const required = where === 'path' || parameter.required === true;
  return { name, in: where, description, schema, ...(required && { required }) };
}

/** The field of `verb!~`. */
function plain(name: string): string {
  return name.replace(/!?[~^]?$/, '');
}

/** Names of components are letters, digits, dots, dashes and underscores. */
function componentName(name: string): string {
  return name.replace('!', '.not').replace('~', '.contains').replace('^', '.begins');
}
