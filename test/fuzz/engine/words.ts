// Words that a parser compares with, out of its own source: what is between quotes there, and numbers of a byte.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FuzzTarget } from './target.ts'

export function wordsOf({ words = [], source }: FuzzTarget): Uint8Array[] {
  const found = new Set<string>()
  for (const path of source) {
    const text = readFileSync(fileURLToPath(new URL(`../../../src/${path}`, import.meta.url)), 'utf8')
    const code = text.replace(/^\s*(?:\/\/|\*|\/\*\*).*$|^import .*$/gm, '')
    for (const [, word = ''] of code.matchAll(/'((?:[^'\\\n]|\\.){1,24})'/g)) found.add(unquoted(word))
  }
  return [...words, ...found].map((word) => (typeof word === 'string' ? Buffer.from(word) : word))
}

function unquoted(text: string): string {
  return text.replace(/\\(u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|.)/gi, (_, code: string) => {
    const hex = /^[ux]\{?([0-9a-f]+)/i.exec(code)?.[1]
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return { n: '\n', r: '\r', t: '\t', 0: '\0', b: '\b' }[code] ?? code
  })
}
