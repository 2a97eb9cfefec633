// Writes src/generated/policies.json, what Graphcache has to know of the schema; the schema itself would be far larger:
// the types without an id, which belong to the object that shows them, and the types that an abstract one may be.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { buildSchema, isAbstractType, isObjectType } from 'graphql';

const schema = buildSchema(readFileSync('../../schema.graphql', 'utf8'), { assumeValid: true });
const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const keyless = types.filter((type) => isObjectType(type) && !('id' in type.getFields())).map(({ name }) => name);
const abstract = types.filter(isAbstractType).map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]);
mkdirSync('src/generated', { recursive: true });
writeFileSync('src/generated/policies.json', JSON.stringify({ keyless, possibleTypes: Object.fromEntries(abstract) }));
