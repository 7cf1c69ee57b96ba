// Builds dist/: one bundle for each public entry point, with what they share in common chunks (so that an error class
// or a `Peer` is the same class whichever entry point it came through), and declarations beside them.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const { exports: entries, bin: commands } = JSON.parse(readFileSync('package.json', 'utf8'))

const entryPoints = [...Object.values(entries).flatMap((entry) => entry.default ?? []), ...Object.values(commands)].map(
  (path) => path.replace('./dist/', 'src/').replace(/\.js$/, '.ts'),
)

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints,
  outdir: 'dist',
  outbase: 'src',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})

const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
const flags = '--noEmit false --declaration --emitDeclarationOnly --rootDir src --outDir dist'
execFileSync(process.execPath, [tsc, '-p', '.ci/tsconfig.build.json', ...flags.split(' ')], { stdio: 'inherit' })

// tsc leaves `./x.ts` in declarations; `./x.js` is what every resolver maps to `./x.d.ts`.
for (const file of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue
  const path = `dist/${file}`
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(/(from |import\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2'))
}
