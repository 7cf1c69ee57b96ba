// Imports that are disturbed: by other imports, by the death of the program, by a full disk, and by whoever writes the
// file that is read.

import { spawnSync } from 'node:child_process'
import { appendFileSync, copyFileSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { type Child, type ChildOptions, startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

vi.setConfig({ testTimeout: 180_000 })

/** A file of so many hosts whose names begin with a word, and whose fingerprints have a digit in common. */
function tomlOf(word: string, hosts: number, digit = '0'): string {
  let text = '[_metadata]\nversion = "1.0"\n'
  for (let n = 0; n < hosts; n++) {
    const host = `${word}${String(n).padStart(6, '0')}.example`
    const fingerprint = `sha256:${digit}${n.toString(16).padStart(63, '0')}`
    text += `\n[hosts."${host}:1965"]\nhostname = "${host}"\nport = 1965\nfingerprint = "${fingerprint}"\n`
    text += 'first_seen = "2026-01-01T00:00:00+00:00"\nlast_seen = "2026-01-02T00:00:00+00:00"\n'
  }
  return text
}

/** Starts a child that imports when it is told to, and waits until it can be told. */
async function importer(path: string, options: ChildOptions = {}): Promise<Child> {
  const child = startChild('tofu-import-child.ts', { ...options, args: [path] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  expect(await child.line()).toBe('ready')
  return child
}

async function say(child: Child, line: string): Promise<Record<string, unknown>> {
  child.send(line)
  const answer = await child.line()
  if (answer === null) throw new Error((await child.ended).stderr)
  return JSON.parse(answer)
}

/** How many hosts there are whose names begin with each of some words. */
async function countsIn(path: string, ...words: string[]): Promise<number[]> {
  const raw = new SQLite(path)
  expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
  raw.close()
  const store = await TofuStore.open({ path })
  const hosts = await store.listHosts()
  await store.close()
  return words.map((word) => hosts.filter((host) => host.host.startsWith(word)).length)
}

describe('two programs that import at once', () => {
  const HOSTS = 1500

  it('the same file come to the hosts of that file', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'a.toml')
    writeFileSync(file, tomlOf('a', HOSTS))
    const children = [await importer(join(folder, '0.db')), await importer(join(folder, '0.db'))]
    const answers = await Promise.all(children.map((child) => say(child, `merge ${file}`)))
    const added = answers.filter((answer) => answer.added === HOSTS)
    expect(added, JSON.stringify(answers)).toHaveLength(1)
    for (const answer of answers) {
      if (answer === added[0]) continue
      // Planned after the other had ended, or before: then it is told that the plan is worth nothing any more.
      if (answer.code === undefined) expect(answer).toMatchObject({ added: 0, skipped: HOSTS })
      else expect(answer).toEqual({ code: 'ERR_TLACACOCA_IMPORT_OUTDATED' })
    }
    expect(await countsIn(join(folder, '0.db'), 'a')).toEqual([HOSTS])
  })

  it.each([{ modes: ['merge', 'merge'] }, { modes: ['merge', 'replace'] }, { modes: ['replace', 'replace'] }])(
    'different files ($modes) come to both, to one, or to one after the other, and never to a part',
    async ({ modes }) => {
      const folder = await temporaryFolder()
      const path = join(folder, 'pins.db')
      for (const [n, word] of ['a', 'b'].entries()) {
        // Some hosts are in both, with other fingerprints.
        const shared = tomlOf('shared', 200, `${n + 1}`)
          .split('\n')
          .slice(2)
          .join('\n')
        writeFileSync(join(folder, `${word}.toml`), tomlOf(word, HOSTS) + shared)
      }
      const children = [await importer(path), await importer(path)]
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(
          children.map((child, n) => say(child, `${modes[n]} ${join(folder, n === 0 ? 'a.toml' : 'b.toml')}`)),
        )
        const failed = answers.filter((answer) => answer.code !== undefined)
        for (const answer of failed) expect(answer).toEqual({ code: 'ERR_TLACACOCA_IMPORT_OUTDATED' })
        expect(failed.length).toBeLessThan(2)
        const [a = -1, b = -1, shared] = await countsIn(path, 'a', 'b', 'shared')
        expect([0, HOSTS]).toContain(a)
        expect([0, HOSTS]).toContain(b)
        expect(shared).toBe(200)
        if (failed.length === 0 && modes.every((mode) => mode === 'merge')) expect([a, b]).toEqual([HOSTS, HOSTS])
        const store = await TofuStore.open({ path })
        const firsts = new Set<string | undefined>()
        for (let n = 0; n < 200; n += 20) {
          const host = endpointFrom(`shared${String(n).padStart(6, '0')}.example`, 1965)
          firsts.add((await store.getHostInfo(host))?.fingerprint[7])
        }
        // All by the one, or all by the other.
        expect(firsts.size).toBe(1)
        await store.clear()
        await store.close()
      }
    },
  )
})

describe('kill -9 of an import leaves what was there before, or what is there after', () => {
  const BEFORE = 300
  const NEW = 12_000

  /** A store of some hosts and a file of more; puts the store back as it was, and imports into it in a child. */
  async function prepared() {
    const folder = await temporaryFolder()
    const [start, path] = [join(folder, 'start.db'), join(folder, 'pins.db')]
    writeFileSync(join(folder, 'old.toml'), tomlOf('old', BEFORE))
    writeFileSync(join(folder, 'new.toml'), tomlOf('new', NEW))
    const store = await TofuStore.open({ path: start })
    await store.importToml(join(folder, 'old.toml'))
    await store.close()
    const begin = async (mode: string): Promise<Child> => {
      for (const end of ['-wal', '-shm']) spawnSync('rm', ['-f', `${path}${end}`])
      copyFileSync(start, path)
      const child = await importer(path)
      child.send(`${mode} ${join(folder, 'new.toml')}`)
      return child
    }
    return { path, begin }
  }

  async function isOneOrTheOther(path: string, mode: string): Promise<void> {
    const [old = -1, fresh = -1] = await countsIn(path, 'old', 'new')
    const after = mode === 'merge' ? BEFORE : 0
    expect([`${BEFORE} 0`, `${after} ${NEW}`]).toContain(`${old} ${fresh}`)
  }

  it.each(['merge', 'replace'])('(%s) at each of many moments of its course', async (mode) => {
    const { path, begin } = await prepared()
    const start = performance.now()
    const whole = await begin(mode)
    const began = performance.now()
    expect(JSON.parse((await whole.line()) ?? '{}')).toMatchObject({ added: NEW })
    const [startup, duration] = [began - start, performance.now() - began]
    expect(startup).toBeGreaterThan(0)
    whole.kill()
    await whole.ended
    await isOneOrTheOther(path, mode)
    const moments = 14
    for (let moment = 0; moment < moments; moment++) {
      const child = await begin(mode)
      await elapse((duration * (moment + 0.5)) / moments)
      child.kill()
      await child.ended
      await isOneOrTheOther(path, mode)
    }
  })

  it.each([1, 100_000, 500_000, 1_000_000, 2_000_000, 3_000_000])(
    'when its log has grown beyond %i bytes',
    async (bytes) => {
      const { path, begin } = await prepared()
      const child = await begin('merge')
      const ended = child.line().then(() => true)
      let isDone = false
      void ended.then(() => {
        isDone = true
      })
      while (!isDone && (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) < bytes) await turn()
      child.kill()
      await child.ended
      await isOneOrTheOther(path, 'merge')
    },
  )
})

describe.skipIf(process.platform === 'win32')('an import that meets a full disk', () => {
  it.each([256, 700, 1500, 3000, 5000])('changes nothing (no file beyond %i blocks)', async (blocks) => {
    const folder = await temporaryFolder()
    const path = join(folder, 'pins.db')
    writeFileSync(join(folder, 'old.toml'), tomlOf('old', 100))
    writeFileSync(join(folder, 'new.toml'), tomlOf('new', 20_000))
    const store = await TofuStore.open({ path })
    await store.importToml(join(folder, 'old.toml'))
    await store.close()
    const child = await importer(path, { shell: `trap '' XFSZ; ulimit -f ${blocks}` })
    const failed = await say(child, `merge ${join(folder, 'new.toml')}`)
    expect(failed.code).toMatch(/^ERR_TLACACOCA_STORE_(FULL|FAILED)$/)
    // The same program goes on with what there was.
    expect(await say(child, 'hosts')).toMatchObject({ hosts: 100 })
    child.kill()
    await child.ended
    expect(await countsIn(path, 'old', 'new')).toEqual([100, 0])
    const later = await TofuStore.open({ path })
    expect(await later.importToml(join(folder, 'new.toml'))).toMatchObject({ added: 20_000 })
    await later.close()
  })

  it('changes nothing on a file system that is really full', async (context) => {
    const folder = await temporaryFolder()
    const disk = join(folder, 'disk')
    const path = join(disk, 'pins.db')
    spawnSync('mkdir', [disk])
    // Where a test may not mount anything, the limits above have to do.
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
    if (mounted.status !== 0) return context.skip('a small file system cannot be mounted here')
    onTestFinished(() => void spawnSync('umount', ['-l', disk]))
    writeFileSync(join(folder, 'old.toml'), tomlOf('old', 100))
    writeFileSync(join(folder, 'new.toml'), tomlOf('new', 20_000))
    const store = await TofuStore.open({ path })
    onTestFinished(() => store.close())
    await store.importToml(join(folder, 'old.toml'))
    await expect(store.importToml(join(folder, 'new.toml'))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
    expect(await store.listHosts()).toHaveLength(100)
    // What is purged is gone for whoever asks for it, also where there is no room to write the file anew.
    for (let size = 4096; size > 0; ) {
      try {
        appendFileSync(join(disk, 'filler'), Buffer.alloc(size))
      } catch {
        size = 0
      }
    }
    const purged = await store.purge({ notSeenForDays: 1 }).catch((error: unknown) => error)
    if (purged instanceof Error) expect(purged).toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
    else expect(purged).toMatchObject({ subjects: 100, erased: expect.any(Boolean) })
    expect(await store.listHosts()).toHaveLength(purged instanceof Error ? 100 : 0)
    truncateSync(join(disk, 'filler'))
    expect(await store.purge({ notSeenForDays: 1 })).toMatchObject({ erased: true })
    expect(await store.listHosts()).toEqual([])
    expect(readFileSync(path, 'latin1')).not.toContain('old000')
  })
})

describe('a file that is changed while it is read for import', () => {
  const HOSTS = 3000

  /** Imports a file, and does something to it when a part of it has been read. */
  async function disturbed(disturb: (file: string) => void, text = tomlOf('a', HOSTS)) {
    const file = join(await temporaryFolder(), 'hosts.toml')
    writeFileSync(file, text)
    const store = TofuStore.inMemory()
    let isDisturbed = false
    const onProgress = ({ bytesRead, bytesTotal }: { bytesRead: number; bytesTotal: number }) => {
      if (isDisturbed || bytesRead === 0) return
      expect(bytesRead).toBeLessThan(bytesTotal)
      isDisturbed = true
      disturb(file)
    }
    const outcome = await store.importToml(file, { onProgress }).catch((error: unknown) => error)
    expect(isDisturbed).toBe(true)
    return { outcome, hosts: await store.listHosts() }
  }

  it.each([
    {
      what: 'appended to',
      disturb: (file: string) => appendFileSync(file, tomlOf('late', 10).split('\n').slice(2).join('\n')),
    },
    { what: 'cut off', disturb: (file: string) => truncateSync(file, 200_000) },
    { what: 'emptied', disturb: (file: string) => truncateSync(file, 0) },
    { what: 'written anew', disturb: (file: string) => writeFileSync(file, tomlOf('b', HOSTS)) },
    { what: 'written anew with more', disturb: (file: string) => writeFileSync(file, tomlOf('b', 2 * HOSTS)) },
  ])('is an error if it is $what, and nothing is imported', async ({ disturb }) => {
    const { outcome, hosts } = await disturbed(disturb)
    expect(outcome).toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      message: expect.stringContaining('changed'),
    })
    expect(hosts).toEqual([])
  })

  it('is read to its end as it was if another takes its place, also where reading starts anew', async () => {
    const replaceIt = (file: string) => {
      writeFileSync(`${file}.new`, tomlOf('b', 5))
      renameSync(`${file}.new`, file)
    }
    // The comment is nothing that an export has, so that all is read again by a whole parser.
    for (const end of ['', '# an afterthought\n[unknown]\nx = { y = 1 }\n']) {
      const { outcome, hosts } = await disturbed(replaceIt, tomlOf('a', HOSTS) + end)
      expect(outcome).toMatchObject({ added: HOSTS })
      expect(hosts.every((host) => host.host.startsWith('a'))).toBe(true)
    }
  })
})

/** Lets time pass in which a child does something that does not tell how far it is. */
async function elapse(ms: number): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) await turn()
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
