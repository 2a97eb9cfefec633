// What graphql-eslint says of schema.graphql: all its rules for schemas and for Relay, but for those refused here.
import graphql from '@graphql-eslint/eslint-plugin';

const rules = { ...graphql.configs['flat/schema-all'].rules, ...graphql.configs['flat/schema-relay'].rules };

// A prefix ends where a word ends: `requestId` of a `Request` says it twice, `requestedAt` does not.
const prefix = graphql.rules['no-typename-prefix'];
const wholeWords = {
  ...prefix,
  create: (context) =>
    prefix.create({
      report: (found) => {
        const { fieldName, typeName } = found.data;
        if (!/^[a-z]/.test(fieldName.slice(typeName.length))) context.report(found);
      },
    }),
};
const changed = (rule, options) => ({ [rule]: ['error', { ...[rules[rule]].flat()[1], ...options }] });

export default [
  {
    files: ['schema.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: 'schema.graphql' } } },
    plugins: {
      '@graphql-eslint': { ...graphql, rules: { ...graphql.rules, 'no-typename-prefix': wholeWords } },
    },
    rules: {
      ...rules,

      // Fields stand in the order in which a reader looks for them. The types are in alphabetical order already.
      '@graphql-eslint/alphabetize': 'off',
      // Only what can be fetched again has an id. An amount, a count or a page has none, and a client's cache keeps it
      // with its owner. That an id is an identity is tested on the data, in tests/schema.
      '@graphql-eslint/strict-id-in-types': 'off',
      // The rule forbids mutations and subscriptions unless told otherwise. We have them on purpose.
      '@graphql-eslint/no-root-type': 'off',
      // A short list that ends, as the attributes of an activity, is a list. What can grow is a connection.
      ...changed('@graphql-eslint/relay-edge-types', { listTypeCanWrapOnlyEdgeType: false }),
      // `@oneOf` is GraphQL's own, and is printed for tools that do not know it yet.
      ...changed('@graphql-eslint/require-description', { DirectiveDefinition: false }),
      // `ActivityType` is the type of an activity: a row of the catalogue. The underscore begins what the specification of
      // subgraphs names (`_entities`, `_service`), and nothing else: tests/graph/test_federation.py.
      ...changed('@graphql-eslint/naming-convention', {
        types: { style: 'PascalCase', ignorePattern: '^_' },
        FieldDefinition: { style: 'camelCase', ignorePattern: '^_' },
        'ObjectTypeDefinition,ObjectTypeExtension': { ignorePattern: '^(_.*|ActivityType)$' },
        'FieldDefinition[parent.name.value=Query]': { ignorePattern: '^_' },
        'UnionTypeDefinition,UnionTypeExtension': { ignorePattern: '^_' },
        allowLeadingUnderscore: true,
      }),
      // That specification wants `_service: _Service!`, and the rule knows no exception.
      '@graphql-eslint/require-nullable-result-in-root': 'off',
    },
  },
];
