// Offpunk from 2.3 on: a folder for each host, in it one for each of its addresses, in it a file for each certificate that
// was accepted, which has the SHA-256 as its name and was written at the last visit.
//
//   certs/example.org/192.0.2.1/146a4b27…
//
// Every certificate of a host is a pin of it, whichever address showed it. How often it was shown stands in the file, and
// on how many days not, so that is 1.

import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { show } from '../../internal/arguments.ts'
import { reading } from '../../internal/atomic-file.ts'
import { digestFrom, hostWith, subjectWithoutPort } from './fields.ts'
import type { Finding, FindingsBatch } from './findings.ts'
import { Unfit } from './known-host.ts'

/** The folder with the hosts: the one that is given, or `certs` in it. */
export async function findCertsFolder(path: string): Promise<string> {
  const certs = join(path, 'certs')
  const isThere = await lstat(certs).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  return isThere ? certs : path
}

/** The hosts in a folder. The number of an entry is its line. */
export async function* findingsInFolder(folder: string): AsyncGenerator<FindingsBatch> {
  let line = 0
  for await (const host of entriesOf(folder)) {
    const findings: Finding[] = []
    const unusable = (message: string) =>
      findings.push({
        line: ++line,
        reading: { kind: 'unusable', column: 1, message: `${show(host.name)}: ${message}` },
      })
    if (!host.isFolder) unusable('this is not a folder')
    else {
      for await (const address of entriesOf(join(folder, host.name))) {
        if (!address.isFolder) {
          unusable(`${show(address.name)} is not a folder`)
          continue
        }
        const place = join(folder, host.name, address.name)
        for await (const file of entriesOf(place)) {
          findings.push({ line: ++line, reading: await readEntry(host.name, join(place, file.name), file) })
        }
      }
    }
    yield { findings, bytesRead: 0 }
  }
}

interface Entry {
  readonly name: string
  readonly isFolder: boolean
  readonly isFile: boolean
}

async function readEntry(host: string, path: string, { name, isFile }: Entry): Promise<Finding['reading']> {
  try {
    const subject = subjectWithoutPort({ text: host, column: 1 })
    if (!isFile) throw new Unfit(1, `${show(name)} of ${subject} is not an ordinary file`)
    if (!/^[0-9A-Fa-f]{64}$/.test(name)) throw new Unfit(1, `${show(name)} of ${subject} is not a SHA-256`)
    const { mtime } = await reading(path, () => lstat(path))
    return hostWith({ subject, column: 1, digest: digestFrom('sha256', name), firstSeen: mtime, lastSeen: mtime })
  } catch (error) {
    if (error instanceof Unfit) return { kind: 'unusable', column: 1, message: error.message }
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

/** What is in a folder, links not followed. */
async function* entriesOf(folder: string): AsyncGenerator<Entry> {
  const found = await reading(folder, () => opendir(folder))
  for await (const entry of found) {
    yield { name: entry.name, isFolder: entry.isDirectory(), isFile: entry.isFile() }
  }
}
