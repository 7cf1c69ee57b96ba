// Builds dist/: the bundle, and declarations beside it, but for those of the command, which nobody can import.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
rmSync('dist', { recursive: true, force: true })
await bundle('dist')

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
