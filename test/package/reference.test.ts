import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { statusLine } from '../../docs/examples/gemini-status.ts'
import type { DenialReason } from '../../src/middleware/middleware.ts'

// Pages to look things up in are only worth something if they are complete and true.

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** The rows of each table below a heading, as cells. The rows of the header are not among them. */
function tableBelow(text: string, heading: string): string[][] {
  const section = text.split(new RegExp(`^## ${heading}$`, 'm'))[1]?.split(/^## /m)[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  const cells = rows.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  )
  const rule = cells.findIndex((row) => row.every((cell) => /^-+$/.test(cell)))
  return rule === -1 ? [] : cells.slice(rule + 1)
}

const codeIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

/** The members of the type, as they are written in its file. */
function denialReasons(): string[] {
  const file = 'src/middleware/middleware.ts'
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const alias = source.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === 'DenialReason')
  if (alias === undefined || !ts.isTypeAliasDeclaration(alias) || !ts.isUnionTypeNode(alias.type)) return []
  return alias.type.types.map((node) => node.getText(source).replaceAll("'", ''))
}

describe('the page about denial reasons', () => {
  const page = read('docs/reference/denial-reasons.md')
  const reasons = denialReasons()

  it('has each reason once, with a status in every protocol', () => {
    const rows = tableBelow(page, 'Status codes')
    expect(reasons.length).toBeGreaterThan(10)
    expect(rows.map(([reason]) => codeIn(reason)[0])).toEqual(reasons)
    expect(rows.filter((row) => row.length !== 6 || row.slice(1).some((cell) => !/^\d+$/.test(cell)))).toEqual([])
  })

  it('says of each where it comes from', () => {
    const rows = tableBelow(page, 'Where they come from').filter(([reason]) => reason !== '')
    expect(rows.map(([reason]) => codeIn(reason)[0])).toEqual(reasons)
  })

  it('agrees with the table of the README', () => {
    const short = tableBelow(read('README.md'), 'What a denial is called').flatMap(([names, ...statuses]) =>
      codeIn(names).map((name) => [name, ...statuses]),
    )
    const long = tableBelow(page, 'Status codes').map(([name, ...statuses]) => [
      ...codeIn(name),
      ...statuses.slice(0, 3),
    ])
    expect(short).toEqual(long)
  })

  it('agrees with the Gemini example', () => {
    const said = reasons.map((reason) =>
      statusLine({ allowed: false, denialReason: reason as DenialReason }).slice(0, 2),
    )
    expect(said).toEqual(tableBelow(page, 'Status codes').map(([, gemini]) => gemini))
  })
})

describe('the page about Python names', () => {
  const page = read('docs/reference/python-names.md')
  const rows = [...page.matchAll(/^## (.+)$/gm)].flatMap(([, heading = '']) => tableBelow(page, heading))

  it('has no row of another width', () => {
    expect(rows.length).toBeGreaterThan(80)
    expect(rows.filter((row) => row.length !== 3)).toEqual([])
  })

  it('names nothing of ours that cannot be imported', () => {
    const exported = new Set(
      read('test/package/exported-names.txt')
        .split('\n')
        .map((line) => line.split(' ').at(-1)),
    )
    const names = rows.flatMap(([, ours]) => codeIn(ours)).map((name) => name.split('.')[0])
    expect(names.filter((name) => !exported.has(name))).toEqual([])
  })

  it('names no member that is not there', () => {
    const members = rows.flatMap(([, ours]) => codeIn(ours)).filter((name) => name.includes('.'))
    expect(members.length).toBeGreaterThan(20)
    expect(members.filter((name) => !hasMember(name))).toEqual([])
    expect(hasMember('TofuStore.forgive')).toBe(false)
  }, 120_000)

  it('has a row for every public name of the relatives', () => {
    // What the relatives export, as their own lists have it.
    const theirs = new Set(rows.flatMap(([first]) => codeIn(first)))
    expect(PYTHON_NAMES.filter((name) => !theirs.has(name))).toEqual([])
  })
})

const PYTHON_NAMES = [
  // nauyaca.security and tlacacoca
  'generate_self_signed_cert',
  'load_certificate',
  'get_certificate_fingerprint',
  'get_certificate_fingerprint_from_path',
  'get_certificate_info',
  'is_certificate_expired',
  'is_certificate_valid_for_hostname',
  'validate_certificate_file',
  'TOFUDatabase',
  'CertificateChangedError',
  'create_client_context',
  'create_server_context',
  'create_permissive_server_context',
  'get_peer_certificate_from_connection',
  'x509_to_cryptography',
  'TLSServerProtocol',
  'TLSTransportWrapper',
  'DenialReason',
  'Middleware',
  'MiddlewareChain',
  'MiddlewareResult',
  'TokenBucket',
  'RateLimiter',
  'RateLimitConfig',
  'AccessControl',
  'AccessControlConfig',
  'CertificateAuth',
  'CertificateAuthConfig',
  'CertificateAuthPathRule',
  'configure_logging',
  'get_logger',
  'hash_ip_processor',
  // PyTLS
  'ClientTLS',
  'ServerTLS',
  'Connection',
  'Certificate',
  'ClientCertificateStore',
  'TrustStore',
  'ServerCertificates',
  'ServerCertificateChain',
  'SNIServerCertificates',
  'TLSAlertError',
  'BadTLSDataError',
  'InvalidatedError',
  'InvalidAlertLevel',
  'LeafCertificateHasNoPrivateKeyError',
  'MoreThanOneLeafCertificateError',
  'NoLeafCertificateError',
  'NoCertificateChainError',
  'ExtraneousPrivateKeyError',
  // ssl_api
  'CUSTOM_BOOT_CB',
  'SERIAL_NUMBER_GENERATOR_CB',
  'API_CSR_HOOKS_FACTORY',
  'SigningHooksBase',
  'authorize',
  'presign',
  'postsign',
  'client_hash',
  'public_key_hash',
  'csr_tuple',
  'CsrNotAuthedError',
]

let program: ts.Program | undefined

/** Whether something exported has a member of this name, on its instances or itself: `TofuStore.open`. */
function hasMember(path: string): boolean {
  const [name = '', member = ''] = path.split('.')
  if (program === undefined) {
    const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    program = ts.createProgram({ rootNames: [join(root, 'src/index.ts'), join(root, 'src/tls/index.ts')], options })
  }
  const checker = program.getTypeChecker()
  return ['src/index.ts', 'src/tls/index.ts'].some((entry) => {
    const file = program?.getSourceFile(join(root, entry))
    const module = file && checker.getSymbolAtLocation(file)
    const found = module && checker.getExportsOfModule(module).find((symbol) => symbol.name === name)
    if (found === undefined) return false
    const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found
    return [checker.getDeclaredTypeOfSymbol(symbol), checker.getTypeOfSymbol(symbol)].some(
      (type) => checker.getPropertyOfType(type, member) !== undefined || membersOfUnion(type).includes(member),
    )
  })
}

function membersOfUnion(type: ts.Type): string[] {
  return type.isUnion() ? type.types.flatMap((each) => each.getProperties().map((property) => property.name)) : []
}

describe('the reference of every name', () => {
  it('is made of the entry points of the package', () => {
    const { exports: entries } = JSON.parse(read('package.json'))
    const paths = Object.keys(entries).filter((path) => path !== './package.json')
    const { entryPoints } = JSON.parse(read('.typedoc.json'))
    expect(entryPoints.toSorted()).toEqual(paths.map((path) => join('src', path, 'index.ts')).toSorted())
  })
})

describe('the documentation', () => {
  const pages = ['README.md', ...markdownBelow('docs')]

  it('links to files and headings that are there', () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter((link) => !leadsSomewhere(page, link))
        .map((link) => `${page}: ${link}`),
    )
    expect(broken).toEqual([])
  })

  it('has an index that leads to every page', () => {
    const listed = new Set(linksOf('docs/README.md').map((link) => join('docs', link.split('#')[0] ?? '')))
    const wanted = markdownBelow('docs').filter((page) => page !== 'docs/README.md' && !/decisions\/\d/.test(page))
    expect(wanted.filter((page) => !listed.has(page))).toEqual([])
  })
})

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && !file.startsWith('reference/api/'))
    .map((file) => `${folder}/${file}`)
}

/** The links of a page to other places in this project, outside of code. */
function linksOf(page: string): string[] {
  const prose = read(page).replace(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => !/^[a-z]+:/.test(link))
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? page : join(dirname(page), file)
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchorsOf(target).includes(anchor)
}

/** The headings of a page as GitHub links to them. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
