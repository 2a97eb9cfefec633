// Deletes what older builds left, and prints what the page loads before its first paint.
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const STATIC = '../../app/http/static';
const manifest = JSON.parse(readFileSync(`${STATIC}/desk/manifest.json`, 'utf8'));
const built = new Set(['desk/manifest.json', 'desk/LICENSES.md']);
for (const { file, css = [], assets = [] } of Object.values(manifest)) [file, ...css, ...assets].forEach((name) => built.add(name));
for (const name of readdirSync(`${STATIC}/desk`)) {
  if (!built.has(`desk/${name}`)) rmSync(`${STATIC}/desk/${name}`);
}

const html = readFileSync(`${STATIC}/desk.html`, 'utf8');
const first = [...html.matchAll(/(?:src|href)="\.\/(desk\/[^"]+)"/g)].map(([, name]) => name);
let total = gzipSync(html).length;
for (const name of first) total += gzipSync(readFileSync(`${STATIC}/${name}`)).length;
console.log(`First paint: ${first.length} files, ${(total / 1000).toFixed(0)} kB by gzip.`);
