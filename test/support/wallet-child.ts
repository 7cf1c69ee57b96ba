// A program that shares its wallet with others, and does what it is told.
//
//   wallet-child <folder> [--as-nobody]
//
// Reads lines, answers each with one line: `ok` and what came of it, or the code of the error.
//
//   create <name> <url>   use <id> <url>   annotate <id> <text>   delete <id>   list   identity <url>
//   annotate-at-once <id> <text>: without waiting for anybody
//   renew <id>            temporary <url>  churn <name>: makes, changes, deletes and takes back identities until it is killed

import { createInterface } from 'node:readline'
import { IdentityWallet } from '../../src/identity/wallet/identity-wallet.ts'

const [directory = '', asNobody] = process.argv.slice(2)

if (asNobody !== undefined && process.getuid?.() === 0) {
  // Whatever is loaded later may be out of reach for somebody without rights.
  const { default: SQLite } = await import('better-sqlite3')
  new SQLite(':memory:').close()
  await import('smol-toml')
  const warm = await IdentityWallet.inMemory()
  await warm.renew((await warm.create()).id)
  await warm.close()
  process.setgid?.(65534)
  process.setuid?.(65534)
}

async function answer(line: string): Promise<string> {
  const [command, a = '', b = ''] = line.split(' ')
  switch (command) {
    case 'create':
      return (await wallet.create({ name: a, ...(b === '' ? {} : { scope: b }) })).id
    case 'use':
      return (await wallet.use(a, b)).id
    case 'annotate':
      return (await wallet.annotate(a, b)).id
    case 'annotate-at-once': {
      await using impatient = await IdentityWallet.open({ directory, lockTimeoutMs: 0 })
      return (await impatient.annotate(a, b)).id
    }
    case 'delete':
      return (await wallet.delete(a)).id
    case 'renew':
      return (await wallet.renew(a)).fingerprint
    case 'temporary':
      return (await wallet.create({ temporary: true, scope: a })).id
    case 'list':
      return wallet
        .list()
        .map(({ id }) => id)
        .join(' ')
    case 'identity':
      return (await wallet.identityFor(a)) === null ? 'none' : 'given'
    case 'churn':
      return churn(a)
    default:
      throw new Error(`no such command: ${line}`)
  }
}

/** Says `made <id>` and `gone <id>` after each, so that whoever kills it knows what must be there. */
async function churn(name: string): Promise<never> {
  for (let n = 0; ; n++) {
    const { id } = await wallet.create({ name: `${name}-${n}`, scope: `gemini://${name}.example/${n}` })
    console.log(`made ${id}`)
    await wallet.renew(id)
    await wallet.delete(id)
    await wallet.undelete(id)
    if (n % 3 === 0) {
      console.log(`going ${id}`)
      await wallet.delete(id)
    }
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

let wallet: IdentityWallet
try {
  wallet = await IdentityWallet.open({ directory, lockTimeoutMs: 120_000 })
  console.log('ready')
} catch (error) {
  console.log(codeOf(error))
  process.exit()
}
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(`ok ${await answer(line)}`)
  } catch (error) {
    console.log(codeOf(error))
  }
}
await wallet.close()
