// What is mutated, and by which tests a mutant may be killed. A module is small enough to be run in minutes; its tests
// are those of its own and of whoever calls it, not all there are.
//
// Left out on purpose are tests that measure memory or race for seconds against the disk, some by file and some by title:
// they cover every line of the tables and would be run again for each mutant, and what they find is not in one operator.

/**
 * @typedef {object} Module
 * @property {readonly string[]} mutate The files of `src/` that are changed.
 * @property {boolean} [isolate] Whether each test file needs modules of its own.
 * @property {readonly string[]} tests The files of `test/` that have to notice, those first that take little time.
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
      ...tests('middleware', 'certificate-auth', 'certificate-rules', 'certificate-auth-issued-by'),
      ...tests('middleware', 'certificate-auth-revocation', 'hostile-urls', 'certificate-auth-connection'),
      ...tests('property', 'certificate-auth'),
    ],
  },
  chain: {
    mutate: middleware('middleware', 'chain', 'admit'),
    tests: tests('middleware', 'chain', 'admit', 'connection-limiter'),
  },
  access: {
    mutate: middleware(
      ...['access-control', 'address-blocks', 'address-list', 'address-table', 'block-table', 'temporary-ranges'],
    ),
    tests: [
      ...tests('middleware', 'address-list', 'ban-list', 'access-control', 'access-lists'),
      ...tests('property', 'address-span', 'ban-list', 'access-control'),
    ],
  },
  bans: {
    mutate: middleware('ban-list', 'ban-table', 'steady-time'),
    tests: [...tests('middleware', 'ban-list', 'token-bucket', 'rate-limiter'), ...tests('property', 'ban-list')],
  },
  rates: {
    mutate: middleware(
      ...[
        'address-keys',
        'bucket-table',
        'half-sip-hash',
        'memory-rate-limit-store',
        'rate-limit-answer',
        'rate-limit-key',
      ],
      ...['rate-limiter', 'rate-limiter-options', 'rate-limits', 'refill', 'token-bucket', 'connection-limiter'],
    ),
    tests: [
      ...tests('middleware', 'half-sip-hash', 'token-bucket', 'rate-limits', 'rate-limiter-by', 'connection-limiter'),
      ...tests('middleware', 'ban-list', 'bucket-table', 'rate-limiter'),
      ...tests('contract', 'rate-limit-store'),
      ...tests('property', 'rate-limiter', 'token-bucket'),
    ],
  },
  files: {
    mutate: middleware('open-inside-root', 'exact-spelling'),
    tests: tests('middleware', 'exact-spelling', 'open-inside-root-errors', 'hostile-urls', 'open-inside-root'),
    // One of them puts something in the place of the file system.
    isolate: true,
  },
}

/** Tests of these titles are skipped. */
export const LEFT_OUT = [
  'takes six bytes for each block, and no rule is lost',
  'takes at most 20 MB',
  'lets others have their turn while it reads a large list, and answers them by the old rules',
  'keeps nothing of rules that do not hold any more',
  'finds a file all the time while it is replaced by renaming',
]

/** The module that this process works on: the configurations of Stryker and of vitest are told by the environment. */
export function chosenModule() {
  const name = process.env.MUTATED_MODULE ?? ''
  const module = MODULES[name]
  if (module === undefined) throw new Error(`MUTATED_MODULE expected one of ${Object.keys(MODULES)}, got "${name}"`)
  return { name, ...module }
}
