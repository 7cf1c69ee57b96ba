// A proper chain of three to begin with, and what the tests make of it.

import { expect } from 'vitest'
import { ChainError } from '../../src/errors.ts'
import { type Issued, type IssueOptions, issue } from './issued-certificates.ts'

export const AT = new Date('2030-06-01T12:00:00Z')
export const EXPIRED = { to: '20300601115959Z' }
export const NOT_YET_VALID = { from: '20300601120001Z' }

export const HOST = [2, 'www.example.org'] as const

export interface Family {
  readonly root: Issued
  readonly middle: Issued
  readonly leaf: Issued
}

/** A root, what it issued, and the leaf below that; with something special about each. */
export function family(special: { root?: IssueOptions; middle?: IssueOptions; leaf?: IssueOptions } = {}): Family {
  const root = issue({ subject: 'root', ca: true, ...special.root })
  const middle = issue({ subject: 'middle', by: root, ca: true, ...special.middle })
  const leaf = issue({ by: middle, ca: false, names: [HOST], ...special.leaf })
  return { root, middle, leaf }
}

/** What `openssl req -x509` makes: self-signed, and marked as an authority. */
export function marked(options: IssueOptions = {}): Issued {
  return issue({ ca: true, names: [HOST], ...options })
}

export function certPem(...issued: readonly Issued[]): string {
  return issued.map(({ certificate }) => certificate.toPem()).join('')
}

export function keyPem(...issued: readonly Issued[]): string {
  return issued.map(({ keys }) => keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()).join('')
}

/** Runs something that must throw an error about a chain, and returns the error. */
export async function refusal(what: () => unknown): Promise<ChainError> {
  try {
    await what()
  } catch (error) {
    if (error instanceof ChainError) return error
    throw error
  }
  return expect.fail('it was accepted')
}
