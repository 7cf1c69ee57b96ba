// What the name of a field says about its value. `clientIp`, `client_ip` and `Client-IP` are one name.

const ADDRESSES =
  'ip ipv4 ipv6 clientip remoteip peerip userip sourceip srcip realip trueclientip xclientip cfconnectingip address ' +
  'clientaddress remoteaddress peeraddress useraddress sourceaddress addr clientaddr remoteaddr peeraddr useraddr ' +
  'sourceaddr socketaddr clienthost remotehost peername xforwardedfor forwarded forwardedfor xrealip'
const ADDRESS_ENDS = ['ipaddress', 'ipaddr']

const SECRETS = 'key pwd pfx pkcs12'
const SECRET_ENDS = ['token', 'passwd', 'cookie', 'cookies', 'keypem']
const SECRET_PARTS = ['password', 'passphrase', 'secret', 'privatekey', 'apikey', 'authorization', 'credential']

// Fields that hold a request or a part of it even where the text does not look like a URL.
const REQUESTS = 'url uri path target line request requestline requesturl referer'

export class FieldNames {
  readonly #addresses: ReadonlySet<string>
  readonly #secrets = new Set(SECRETS.split(' '))
  readonly #requests = new Set(REQUESTS.split(' '))

  constructor(addressFields: readonly string[]) {
    this.#addresses = new Set([...ADDRESSES.split(' '), ...addressFields.map(plain)])
  }

  isAddress(name: string): boolean {
    const text = plain(name)
    return this.#addresses.has(text) || ADDRESS_ENDS.some((end) => text.endsWith(end))
  }

  isSecret(name: string): boolean {
    const text = plain(name)
    if (this.#secrets.has(text) || SECRET_ENDS.some((end) => text.endsWith(end))) return true
    return SECRET_PARTS.some((part) => text.includes(part))
  }

  /** What somebody typed into a search, or into a form. */
  isQuery(name: string): boolean {
    const text = plain(name)
    return text === 'query' || text === 'querystring'
  }

  isRequest(name: string): boolean {
    return this.#requests.has(plain(name))
  }
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}
