import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// desk.html becomes static/desk.html with its files in static/desk/, as GraphiQL's page beside it.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: '../../app/http/static',
    emptyOutDir: false, // GraphiQL is there, too; what an older build left goes in sizes.js
    assetsDir: 'desk',
    manifest: 'desk/manifest.json',
    rolldownOptions: { input: 'desk.html', checks: { moduleLevelDirective: false } },
    modulePreload: { polyfill: false },
    license: { fileName: 'desk/LICENSES.md' }, // we pass on others' code: their notices go with it
    target: 'es2022',
  },
});
