// What the name of a field says about its value. `clientIp`, `client_ip` and `Client-IP` are one name.

const ADDRESSES =
  'ip ipv4 ipv6 clientip remoteip peerip userip sourceip srcip realip trueclientip xclientip cfconnectingip address ' +
  'clientaddress remoteaddress peeraddress useraddress sourceaddress addr clientaddr remoteaddr peeraddr useraddr ' +
  'sourceaddr socketaddr clienthost remotehost peername xforwardedfor forwarded forwardedfor xrealip'
const ADDRESS_ENDS = ['ipaddress', 'ipaddr']

const SECRETS = 'key pwd pfx pkcs12 pepper'
const SECRET_PARTS = ['password', 'passphrase', 'secret', 'privatekey', 'apikey', 'authorization', 'credential']
// Whoever has one of these, which the registry of identities gives out, is let in as somebody.
const CODES = ['linkcode', 'linkcodes', 'recoverycode', 'recoverycodes']
const SECRET_ENDS = ['token', 'passwd', 'cookie', 'cookies', 'keypem', ...CODES]

// What holds a request, or a part of it, even where the text does not look like a URL.
const REQUESTS = 'url uri path target line request requestline requesturl referer'
// What somebody typed into a search or a form, and nothing else.
const QUERIES = 'query querystring'

/** What a value is by the name of its field. */
export type FieldKind = 'plain' | 'address' | 'secret' | 'request' | 'query'

// Programs have few names; somebody who makes names of what clients send must not fill the memory.
const MAX_CACHED = 1000

export class FieldNames {
  readonly #addresses: ReadonlySet<string>
  readonly #secrets = new Set(SECRETS.split(' '))
  readonly #requests = new Set(REQUESTS.split(' '))
  readonly #queries = new Set(QUERIES.split(' '))
  readonly #kinds = new Map<string, FieldKind>()

  constructor(addressFields: readonly string[]) {
    this.#addresses = new Set([...ADDRESSES.split(' '), ...addressFields.map(plain)])
  }

  kindOf(name: string): FieldKind {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const kind = this.#judge(plain(name))
    if (this.#kinds.size < MAX_CACHED && name.length < 100) this.#kinds.set(name, kind)
    return kind
  }

  #judge(name: string): FieldKind {
    if (this.#secrets.has(name) || SECRET_ENDS.some((end) => name.endsWith(end))) return 'secret'
    if (SECRET_PARTS.some((part) => name.includes(part))) return 'secret'
    if (this.#addresses.has(name) || ADDRESS_ENDS.some((end) => name.endsWith(end))) return 'address'
    if (this.#queries.has(name)) return 'query'
    return this.#requests.has(name) ? 'request' : 'plain'
  }
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}
