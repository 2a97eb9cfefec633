import { defineConfig } from 'vite';

// Every page is NAME.html here and becomes static/NAME.html with its files in static/NAME/, so that a page
// served at /x finds them at ./NAME/… whatever path a proxy puts in front.
export default defineConfig({
  base: './',
  build: {
    outDir: '../app/http/static',
    emptyOutDir: true,
    assetsDir: 'graphiql',
    rolldownOptions: {
      input: 'graphiql.html',
      checks: { moduleLevelDirective: false }, // "use client" says nothing to a page without a server side
    },
    modulePreload: { polyfill: false }, // it would be for browsers that GraphiQL does not support anyway
    license: { fileName: 'LICENSES.md' }, // we pass on others' code: their notices go with it
    chunkSizeWarningLimit: 5000, // Monaco, the editor, is that large
    target: 'es2022',
  },
});
