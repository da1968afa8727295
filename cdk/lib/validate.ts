import { Ajv, type ErrorObject, type SchemaObject } from 'ajv';
import { Token } from 'aws-cdk-lib';

const ajv = new Ajv({ allErrors: true, verbose: true, strictTypes: false });
ajv.addFormat('int32', { type: 'number', validate: (n: number) => n >= -(2 ** 31) && n < 2 ** 31 });

/** What the API server demands of names. */
export const nameSchema = {
  type: 'string',
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  maxLength: 63,
} as const;
export const namespaceSchema = { ...nameSchema, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' } as const;
export const stringsSchema = { type: 'object', additionalProperties: { type: 'string' } } as const;

/**
 * Copies a value without the fields that are undefined. What CDK resolves later stays as
 * it is.
 */
export function declared<T>(value: T): T {
  const copy = (v: unknown): unknown => {
    if (v === null || typeof v !== 'object' || Token.isUnresolved(v)) {
      return v;
    }
    if (Array.isArray(v)) {
      return v.map(copy);
    }
    return Object.fromEntries(Object.entries(v).flatMap(([key, x]) => (x === undefined ? [] : [[key, copy(x)]])));
  };
  return copy(value) as T;
}

/**
 * Lists what a schema does not allow, each with the field, its value and what is allowed.
 * What is known only when CloudFormation deploys is not checked.
 */
export function problems(schema: SchemaObject, value: unknown, name: string): string[] {
  const validate = ajv.compile(schema);
  if (validate(value)) {
    return [];
  }
  const found = (validate.errors ?? []).flatMap((error) => {
    const path = error.instancePath.split('/').slice(1).map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
    return isLate(value, path) ? [] : [problem(error, value, name, path)];
  });
  return [...new Set(found)];
}

/** Tells whether a value, or what it is in, is known only later. */
function isLate(value: unknown, path: string[]): boolean {
  let at = value;
  for (const key of path) {
    if (Token.isUnresolved(at)) {
      return true;
    }
    at = (at as Record<string, unknown>)[key];
  }
  return Token.isUnresolved(at);
}

function problem(error: ErrorObject, root: unknown, name: string, path: string[]): string {
  const schema = error.parentSchema ?? {};
  const data: unknown = error.data;
  const field = fieldName(root, name, path);
  const bad = (want: string) => `${field} = ${short(data)}: want ${want}`;
  switch (error.keyword) {
    case 'required':
      return `${fieldName(root, name, [...path, error.params['missingProperty']])}: is missing`;
    case 'additionalProperties':
      return (
        `${fieldName(root, name, [...path, error.params['additionalProperty']])}: there is no such field; ` +
        `here may stand: ${Object.keys(schema['properties']).join(', ')}`
      );
    case 'type':
      return bad(types(schema['type']));
    case 'enum':
      return bad((schema['enum'] as unknown[]).join(' or '));
    case 'pattern':
      return bad(`text that matches ${schema['pattern']}`);
    case 'format':
      return bad(`what ${schema['format']} can hold`);
    case 'minimum':
    case 'maximum':
      return bad(range(schema['minimum'], schema['maximum']));
    case 'minLength':
    case 'maxLength':
      return `${bad(range(schema['minLength'], schema['maxLength']))} characters, not ${[...(data as string)].length}`;
    case 'minItems':
    case 'maxItems':
      return `${field}: has ${(data as unknown[]).length} entries, want ${range(schema['minItems'], schema['maxItems'])}`;
    case 'minProperties':
    case 'maxProperties': {
      const have = Object.keys(data as object).length;
      return `${field}: has ${have} entries, want ${range(schema['minProperties'], schema['maxProperties'])}`;
    }
    case 'uniqueItems': {
      const { i, j } = error.params as { i: number; j: number };
      const [first, second] = [Math.min(i, j), Math.max(i, j)];
      return `${field}[${second}] = ${short((data as unknown[])[second])}: stands at ${field}[${first}] already`;
    }
    default: // of the chart's schema
      return `${field} = ${short(data)}: ${error.message}`;
  }
}

/** Writes a path as one does in YAML: spec.sources[0].eks. */
function fieldName(root: unknown, name: string, path: string[]): string {
  let at = root;
  let text = name;
  for (const key of path) {
    if (Array.isArray(at)) {
      text += `[${key}]`;
    } else {
      text += /^[A-Za-z0-9_]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    }
    at = at === null || at === undefined ? undefined : (at as Record<string, unknown>)[key];
  }
  return text;
}

function range(from: number | undefined, to: number | undefined): string {
  if (from === undefined) {
    return `at most ${to}`;
  }
  return to === undefined ? `${from} or more` : `${from}–${to}`;
}

const articles: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'an integer',
  number: 'a number',
  object: 'an object',
  string: 'text',
};

function types(type: string | string[]): string {
  return [type].flat().map((t) => articles[t] ?? t).join(' or ');
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
