import { expect, it } from 'vitest'
import { appDataFolder, type PlatformFacts } from '../../src/internal/app-data-folder.ts'

// Every platform is asked about here, wherever the tests run.
const LINUX: PlatformFacts = { platform: 'linux', env: {}, home: '/home/ana' }
const WINDOWS: PlatformFacts = { platform: 'win32', env: {}, home: 'C:\\Users\\Ana' }

it.each([
  { facts: LINUX, folder: '/home/ana/.local/share/gemlog' },
  { facts: { ...LINUX, env: { XDG_DATA_HOME: '/data' } }, folder: '/data/gemlog' },
  { facts: { ...LINUX, env: { XDG_DATA_HOME: 'data' } }, folder: '/home/ana/.local/share/gemlog' },
  { facts: { ...LINUX, env: { XDG_DATA_HOME: '' } }, folder: '/home/ana/.local/share/gemlog' },
  { facts: { ...LINUX, env: { LOCALAPPDATA: 'D:\\Data' } }, folder: '/home/ana/.local/share/gemlog' },
  {
    facts: { platform: 'darwin' as const, env: { XDG_DATA_HOME: '/data' }, home: '/Users/ana' },
    folder: '/Users/ana/Library/Application Support/gemlog',
  },
  { facts: WINDOWS, folder: 'C:\\Users\\Ana\\AppData\\Local\\gemlog' },
  { facts: { ...WINDOWS, env: { LOCALAPPDATA: 'D:\\Data' } }, folder: 'D:\\Data\\gemlog' },
  // A relative one would be in whatever folder the program was started.
  { facts: { ...WINDOWS, env: { LOCALAPPDATA: 'Data' } }, folder: 'C:\\Users\\Ana\\AppData\\Local\\gemlog' },
])('the data of a program on $facts.platform with $facts.env is in $folder', ({ facts, folder }) => {
  expect(appDataFolder('gemlog', facts)).toBe(folder)
})

it.each(['', '..', '.hidden', 'a/b', 'a\\b', 'C:', 'nul', 'COM1.txt', 'end.', 'a\0b', 'x'.repeat(101)])(
  'a program cannot be called %j, on any platform',
  (name) => {
    for (const facts of [LINUX, WINDOWS]) expect(() => appDataFolder(name, facts)).toThrow(RangeError)
  },
)
