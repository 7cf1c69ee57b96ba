// A process in surroundings that nobody wishes for.

import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { walletFolder } from '../../src/cli/places.ts'
import { homeFolder } from '../../src/internal/home-folder.ts'
import { quietIo } from '../support/cli.ts'
import { spawnCli } from '../support/cli-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const IS_WINDOWS = process.platform === 'win32'

describe.skipIf(IS_WINDOWS)('the home folder', () => {
  // Otherwise pins would be kept, and found, wherever somebody happens to work.
  it.each(['', 'relative', './here', '../there'])('is that of the user where HOME is %j', (home) => {
    expect(homeFolder(home)).toMatch(/^\//)
    expect(walletFolder({ ...quietIo(), env: { HOME: home } })).toMatch(/^\//)
  })

  it('is what HOME says if that is an absolute path', () => {
    expect(homeFolder('/home/ana')).toBe('/home/ana')
  })
})

describe.skipIf(IS_WINDOWS)('a pipe into which nobody writes', () => {
  it('is left at the first Ctrl-C', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [join(folder, 'first.pem'), join(folder, 'second.pem')]
    execFileSync('mkfifo', [first, second])
    const child = spawnCli(['cert', 'show', first, second])
    await untilRead(first)
    // It comes to the second one now, and stays there.
    await delay(500)
    child.process.kill('SIGINT')
    const { code, signal, stderr } = await child.ended
    expect(signal === 'SIGINT' ? 130 : code).toBe(130)
    expect(stderr).toBe('error: interrupted\n')
  })
})

/** Resolves once somebody has opened the pipe, who then reads that it is empty. */
async function untilRead(pipe: string): Promise<void> {
  while (true) {
    try {
      const writer = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
      return await writer.close()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENXIO')) throw error
      await delay(20)
    }
  }
}
