// Writes src/generated/keyless.json: the types without an id, which belong to the object that shows them.
// Graphcache would read them from the introspected schema, which is far larger.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { buildSchema, isObjectType } from 'graphql';

const schema = buildSchema(readFileSync('../../schema.graphql', 'utf8'), { assumeValid: true });
const keyless = Object.values(schema.getTypeMap())
  .filter((type) => isObjectType(type) && !type.name.startsWith('__') && !('id' in type.getFields()))
  .map((type) => type.name);
mkdirSync('src/generated', { recursive: true });
writeFileSync('src/generated/keyless.json', JSON.stringify(keyless));
