import { describe, expect, it } from 'vitest'
import { defaultPinPath } from '../../src/tofu/paths.ts'

describe('the default place of the pins', () => {
  const linux = { platform: 'linux', home: '/home/ana' } as const

  it.each([
    { where: { ...linux, env: {} }, path: '/home/ana/.local/share/mine/pins.db' },
    { where: { ...linux, env: { XDG_DATA_HOME: '/data' } }, path: '/data/mine/pins.db' },
    { where: { ...linux, env: { XDG_DATA_HOME: '' } }, path: '/home/ana/.local/share/mine/pins.db' },
    // The XDG specification wants relative paths ignored.
    { where: { ...linux, env: { XDG_DATA_HOME: 'data' } }, path: '/home/ana/.local/share/mine/pins.db' },
    { where: { ...linux, platform: 'freebsd', env: {} }, path: '/home/ana/.local/share/mine/pins.db' },
    {
      where: { platform: 'darwin', home: '/Users/ana', env: { XDG_DATA_HOME: '/data' } },
      path: '/Users/ana/Library/Application Support/mine/pins.db',
    },
    {
      where: { platform: 'win32', home: 'C:\\Users\\ana', env: { LOCALAPPDATA: 'D:\\Local' } },
      path: 'D:\\Local\\mine\\pins.db',
    },
    {
      where: { platform: 'win32', home: 'C:\\Users\\ana', env: {} },
      path: 'C:\\Users\\ana\\AppData\\Local\\mine\\pins.db',
    },
  ] as const)('is $path', ({ where, path }) => {
    expect(defaultPinPath('mine', where)).toBe(path)
  })

  it.each(['mine', 'My Browser', 'org.example.app', 'añil', 'a-b_c', '2', 'console', 'x'.repeat(100)])(
    'can be for an application called %j',
    (appName) => {
      expect(defaultPinPath(appName, { ...linux, env: {} })).toBe(`/home/ana/.local/share/${appName}/pins.db`)
    },
  )

  it.each([
    '',
    '.',
    '..',
    '...',
    '../evil',
    'a/b',
    'a\\b',
    '/etc',
    'C:',
    'a\0b',
    'a\nb',
    'a\u202eb',
    '.hidden',
    ' a',
    'a ',
    'a.',
    'CON',
    'nul.txt',
    'com1',
    'a?',
    'x'.repeat(101),
  ])('cannot be for one called %j', (appName) => {
    expect(() => defaultPinPath(appName, { ...linux, env: {} })).toThrow(/"appName" expected/)
  })

  it.each([null, undefined, 5, {}])('cannot be for %j', (appName) => {
    expect(() => defaultPinPath(appName as never)).toThrow(TypeError)
  })
})
