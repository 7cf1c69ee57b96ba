import { describe, expect, it } from 'vitest'
import { type FindingsBatch, findingsInLines } from '../../../src/tofu/formats/findings.ts'
import type { KnownHost } from '../../../src/tofu/formats/known-host.ts'
import { lineFormat } from '../../../src/tofu/formats/line-formats.ts'
import { HostsReport, type Repeats, readHosts } from '../../../src/tofu/formats/read-hosts.ts'
import { lineOf } from './support.ts'

const hosts = (...names: string[]): string => names.map((name) => lineOf('telescope', name, name.length)).join('')

/** A source that is another text each time that it is read. */
function sourceOf(repeats: Repeats, ...texts: string[]) {
  const format = lineFormat('telescope')
  if (format === undefined) throw new TypeError('no such format')
  let reading = 0
  const findings = (): AsyncIterable<FindingsBatch> => findingsInLines(format, [Buffer.from(texts[reading++] ?? '')])
  return { path: 'known_hosts', repeats, findings }
}

async function read(source: ReturnType<typeof sourceOf>) {
  const report = new HostsReport()
  let found: KnownHost[] = []
  for await (const batch of readHosts(source, report)) {
    if (batch.restart) found = []
    found.push(...batch.hosts)
  }
  return { found: found.map(({ subject }) => subject.replace(':1965', '')), report }
}

it('a source where every host is there once is read once', async () => {
  const { found } = await read(sourceOf('last', hosts('a', 'b')))
  expect(found).toEqual(['a', 'b'])
})

it('one where a host is there again is read again, and its last entry counts', async () => {
  const text = hosts('a', 'b', 'A', 'c')
  const { found, report } = await read(sourceOf('last', text, text))
  expect(found).toEqual(['b', 'a', 'c'])
  // The two say the same, so that nothing of them is lost.
  expect(report).toEqual(Object.assign(new HostsReport(), { problems: [], remarks: [] }))
})

// Databases and folders have no lock that would hold from one reading to the next.
describe('a source that changes between two readings is an error, whatever changed', () => {
  const before = hosts('a', 'b', 'a', 'c')
  it.each([
    { what: 'another host is there again', after: hosts('a', 'b', 'a', 'b') },
    { what: 'the last entry is gone', after: hosts('a', 'b') },
    { what: 'the last entry is another host', after: hosts('a', 'b', 'd', 'c') },
    { what: 'everything is gone', after: '' },
  ])('$what', async ({ after }) => {
    for (const repeats of ['last', 'refused', 'each'] as const) {
      await expect(read(sourceOf(repeats, before, after))).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNREADABLE',
        message: expect.stringContaining('changed'),
      })
    }
  })
})
