import { userInfo } from 'node:os'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FileError } from '../../src/errors.ts'
import { homeFolder } from '../../src/internal/home-folder.ts'

vi.mock('node:os', async (original) => {
  const os = await original<typeof import('node:os')>()
  return { ...os, userInfo: vi.fn(os.userInfo) }
})

afterEach(() => {
  vi.mocked(userInfo).mockReset()
})

function systemSays(homedir: string): void {
  vi.mocked(userInfo).mockReturnValue({ username: 'ana', uid: 1000, gid: 1000, shell: null, homedir })
}

/** What a user id without a name comes to, as in many containers. */
function systemKnowsNobody(): void {
  vi.mocked(userInfo).mockImplementation(() => {
    throw Object.assign(new Error('A system error occurred: uv_os_get_passwd returned ENOENT'), {
      code: 'ERR_SYSTEM_ERROR',
    })
  })
}

describe.skipIf(process.platform === 'win32')('the home folder', () => {
  it.each(['', 'relative'])('is what the system says where HOME is %j', (home) => {
    systemSays('/home/ana')
    expect(homeFolder(home)).toBe('/home/ana')
  })

  it('is what HOME says, also of a user whom the system does not know', () => {
    systemKnowsNobody()
    expect(homeFolder('/home/ana')).toBe('/home/ana')
  })

  // A relative one would be a folder wherever somebody happens to work.
  it.each([
    ['the system does not know the user', systemKnowsNobody],
    ['the system has no path for the user', () => systemSays('')],
    ['the system has a relative path for the user', () => systemSays('home/ana')],
  ])('is not there if HOME is no absolute path and %s', (_, arrange) => {
    arrange()
    expect(() => homeFolder('')).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND', path: '~', constructor: FileError }),
    )
  })
})
