// The tabs a newcomer finds: each NUMBER-NAME.graphql, in order, with the variables of the .json beside it.
// The tests read the same files, so a tab cannot promise what the gateway does not answer.
const files = import.meta.glob('./examples/*', { query: '?raw', import: 'default', eager: true });

export const examples = Object.keys(files)
  .filter((path) => path.endsWith('.graphql'))
  .sort()
  .map((path) => ({ query: files[path], variables: files[path.replace('.graphql', '.json')] ?? null }));
