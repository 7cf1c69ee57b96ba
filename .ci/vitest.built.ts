// The examples and every printed block once more, over the package as it is built instead of over its source: what is
// bundled, merged and loaded later must do the same.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^tlacacoca$/, replacement: `${root}dist/index.js` },
      { find: /^tlacacoca\/(.+)$/, replacement: `${root}dist/$1/index.js` },
    ],
  },
  test: {
    include: [
      'test/interop/{examples,titan,misfin,guest-book,certificate-desk,accounts-beside-authority}.test.ts',
      'test/package/printed-code.test.ts',
    ],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
