// The profiles that every authority has. A profile of yours with one of these names takes its place, but for
// `intermediate`.

import { CERTIFIED_KEYS, NO_GRACE, type Profile, type ReadProfile, readProfile } from './profile.ts'

/** For users: a client certificate beside, or instead of, a self-signed one. */
const CLIENT_IDENTITY: Profile = {
  name: 'client-identity',
  names: { subject: ['CN', 'O', 'OU', 'UID'], alternatives: ['uri', 'email'] },
  validity: { default: '90d', max: '1y' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth'],
}

/** For servers. The names are those that clients connect to. */
const SERVER: Profile = {
  name: 'server',
  names: { subject: ['CN'], alternatives: ['dns', 'ip'], requiredAlternatives: ['dns', 'ip'] },
  validity: { default: '90d', max: '398d' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['serverAuth'],
}

/** Misfin: the mailbox in UID, what its owner calls it in CN, the host as the alternative name. */
const MISFIN_MAILBOX: Profile = {
  name: 'misfin-mailbox',
  names: {
    subject: ['CN', 'UID'],
    requiredSubject: ['UID'],
    alternatives: ['dns'],
    requiredAlternatives: ['dns'],
    maxAlternatives: 1,
  },
  validity: { default: '1y', max: '10y' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth', 'serverAuth'],
}

/** Authorities below this one. Only `signIntermediate` uses it, so that no request over a network gets there. */
const INTERMEDIATE: ReadProfile = {
  ...readProfile({
    name: 'intermediate',
    names: { subject: ['C', 'ST', 'L', 'O', 'OU', 'CN', 'emailAddress'], requiredSubject: ['CN'] },
    validity: { default: '5y', max: '10y' },
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [],
    renewal: false,
  }),
  isAuthority: true,
  keys: new Set(CERTIFIED_KEYS.filter((key) => key !== 'Ed448')),
  keyUsage: ['keyCertSign', 'cRLSign'],
}

/** The names of the profiles that are always there. */
export type BuiltInProfile = 'client-identity' | 'server' | 'misfin-mailbox' | 'intermediate'

/** The profiles of an authority, by name. */
export class ProfileSet {
  readonly #profiles: ReadonlyMap<string, ReadProfile>

  /** @throws {TypeError} If one is malformed, there twice, or called `intermediate`. */
  constructor(own: readonly Profile[]) {
    const profiles = new Map([CLIENT_IDENTITY, SERVER, MISFIN_MAILBOX].map((each) => [each.name, readProfile(each)]))
    const seen = new Set<string>()
    for (const profile of own) {
      const read = readProfile(profile)
      if (read.name === INTERMEDIATE.name) throw new TypeError('"profiles" expected none called "intermediate"')
      if (seen.has(read.name)) throw new TypeError(`"profiles" expected each name once, got "${read.name}" twice`)
      seen.add(read.name)
      profiles.set(read.name, read)
    }
    this.#profiles = profiles
  }

  get names(): readonly string[] {
    return [...this.#profiles.keys()]
  }

  /** Null if there is none, and for `intermediate`, which nobody gets by its name. */
  find(name: string): ReadProfile | null {
    return this.#profiles.get(name) ?? null
  }
}

export { INTERMEDIATE, NO_GRACE }
