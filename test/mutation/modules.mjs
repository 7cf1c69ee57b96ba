// What is mutated, and by which tests a mutant may be killed. A module is small enough to be run in minutes; its tests
// are those of its own and of whoever calls it, not all there are.
//
// Left out on purpose are tests that measure memory or race for a second against the disk: they cover every line of the
// tables and would be run again for each mutant, and what they find is not in one operator.

/**
 * @typedef {object} Module
 * @property {readonly string[]} mutate The files of `src/` that are changed.
 * @property {readonly string[]} tests The files or folders of `test/` that have to notice.
 */

const middleware = (/** @type {string[]} */ ...names) => names.map((name) => `src/middleware/${name}.ts`)
const tests = (/** @type {string} */ folder, /** @type {string[]} */ ...names) =>
  names.map((name) => `test/${folder}/${name}.test.ts`)

/** @type {Readonly<Record<string, Module>>} */
export const MODULES = {
  hostname: {
    mutate: ['src/certificate/hostname.ts'],
    tests: tests('certificate', 'hostname'),
  },
  verdict: {
    mutate: ['verdict', 'policy', 'rotation', 'visit', 'vouched-by', 'verifier'].map((name) => `src/tofu/${name}.ts`),
    tests: tests('tofu', 'verdict', 'rotation', 'tofu-store', 'options', 'vouched-by', 'failing-store'),
  },
  scope: {
    mutate: ['scope', 'scope-match', 'place', 'suggest'].map((name) => `src/identity/wallet/${name}.ts`),
    tests: [...tests('identity/wallet', 'scope', 'suggest', 'wallet'), ...tests('property', 'identity-scope')],
  },
  certificates: {
    mutate: middleware('certificate-auth', 'certificate-rule', 'certificate-lookup', 'rule-tree'),
    tests: [
      ...tests('middleware', 'certificate-auth', 'certificate-auth-connection', 'certificate-auth-issued-by'),
      ...tests('middleware', 'certificate-auth-revocation', 'certificate-rules', 'hostile-urls'),
      ...tests('property', 'certificate-auth'),
    ],
  },
  chain: {
    mutate: middleware('middleware', 'chain', 'admit'),
    tests: tests('middleware', 'chain', 'admit', 'connection-limiter'),
  },
  access: {
    mutate: middleware(
      ...['access-control', 'address-blocks', 'address-keys', 'address-list', 'address-table', 'block-table'],
      'temporary-ranges',
    ),
    tests: [
      ...tests('middleware', 'access-control', 'access-lists', 'address-list', 'ban-list'),
      ...tests('property', 'access-control', 'address-span', 'ban-list'),
    ],
  },
  bans: {
    mutate: middleware('ban-list', 'ban-table', 'steady-time'),
    tests: [...tests('middleware', 'ban-list', 'rate-limiter'), ...tests('property', 'ban-list')],
  },
  rates: {
    mutate: middleware(
      ...['bucket-table', 'half-sip-hash', 'memory-rate-limit-store', 'rate-limit-answer', 'rate-limit-key'],
      ...['rate-limiter', 'rate-limiter-options', 'rate-limits', 'refill', 'token-bucket', 'connection-limiter'],
    ),
    tests: [
      ...tests('middleware', 'bucket-table', 'half-sip-hash', 'rate-limiter', 'rate-limiter-by', 'rate-limits'),
      ...tests('middleware', 'token-bucket', 'connection-limiter'),
      ...tests('contract', 'rate-limit-store'),
      ...tests('property', 'rate-limiter', 'token-bucket'),
    ],
  },
  files: {
    mutate: middleware('open-inside-root', 'exact-spelling'),
    tests: [
      ...tests('middleware', 'open-inside-root', 'exact-spelling', 'hostile-urls'),
      ...tests('property', 'one-resource'),
    ],
  },
}

/** The module that this process works on: the configurations of Stryker and of vitest are told by the environment. */
export function chosenModule() {
  const name = process.env.MUTATED_MODULE ?? ''
  const module = MODULES[name]
  if (module === undefined) throw new Error(`MUTATED_MODULE expected one of ${Object.keys(MODULES)}, got "${name}"`)
  return { name, ...module }
}
