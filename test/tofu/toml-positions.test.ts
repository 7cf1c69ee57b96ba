import { describe, expect, it } from 'vitest'
import { LineIndex, locate, type TomlNode } from '../../src/tofu/toml-positions.ts'

const at = (text: string, ...path: (string | number)[]): { name: string; value: string } | undefined => {
  let node: TomlNode | undefined = locate(text, (quoted) => quoted.slice(1, -1))
  for (const step of path) node = typeof step === 'number' ? node?.items[step] : node?.children.get(step)
  return node && { name: text.slice(node.start), value: text.slice(node.valueStart, node.valueEnd) }
}

describe('finding a value', () => {
  it.each<[string, (string | number)[], string]>([
    ['a = 1', ['a'], '1'],
    ['a=1', ['a'], '1'],
    ['  a\t=\t1\t# one', ['a'], '1'],
    ['a = 1\r\nb = 2\r\n', ['a'], '1'],
    ['a.b . c = 1', ['a', 'b', 'c'], '1'],
    ['"a" = 1', ['a'], '1'],
    ["'a.b'.c = 1", ['a.b', 'c'], '1'],
    ['# x = 2\n\na = "# not a comment"', ['a'], '"# not a comment"'],
    ['a = "q\\"uote" # x', ['a'], '"q\\"uote"'],
    ["a = 'back\\' # x", ['a'], "'back\\'"],
    ['a = """\nx"y""z\\""""\nb = 2', ['a'], '"""\nx"y""z\\""""'],
    ['a = """x"""""\nb = 2', ['b'], '2'],
    ["a = '''x'''''\nb = 2", ['b'], '2'],
    ['a = ""\nb = 2', ['b'], '2'],
    ['a = 2026-01-02 03:04:05 # x', ['a'], '2026-01-02 03:04:05'],
    ['a = [1, [2, "]"], # x\n3]\nb = 2', ['b'], '2'],
    ['a = {b = {c = 1, d = "}"}, e.f = 2}', ['a', 'b', 'd'], '"}"'],
    ['a = {b = {c = 1, d = "}"}, e.f = 2}', ['a', 'e', 'f'], '2'],
    ['a = [ {b = 1}, {b = 2} ]', ['a', 1, 'b'], '2'],
    ['[a]\nb = 1\n[c]\nb = 2', ['c', 'b'], '2'],
    ['[ a . "b" ]\nc = 1', ['a', 'b', 'c'], '1'],
    ['[[a]]\nb = 1\n[[a]]\nb = 2', ['a', 1, 'b'], '2'],
    ['[[a]]\n[a.c]\nb = 1\n[[a]]\n[a.c]\nb = 2', ['a', 0, 'c', 'b'], '1'],
    ['[[a]]\n[a.c]\nb = 1\n[[a]]\n[a.c]\nb = 2', ['a', 1, 'c', 'b'], '2'],
    ['[[a]]\n[[a.c]]\nb = 1\n[[a.c]]\nb = 2', ['a', 0, 'c', 1, 'b'], '2'],
    ['a = [[[{b = 1}]]]\nc = 1', ['c'], '1'],
  ])('works in %j', (text, path, value) => {
    expect(at(text, ...path)?.value).toBe(value)
  })

  it('gives the name of a table where it is written in full', () => {
    const text = '[a.b.c]\n[a]\n[a.b]\nx = 1'
    expect(at(text, 'a')?.name).toBe('a]\n[a.b]\nx = 1')
    expect(at(text, 'a', 'b')?.name).toBe('a.b]\nx = 1')
    expect(at(text, 'a', 'b', 'c')?.name).toBe(`${text.slice(1)}`)
  })

  it.each([
    '[',
    '[a',
    '[[a]',
    'a',
    'a =',
    'a = [',
    'a = {',
    'a = "',
    'a = """',
    '=',
    ']',
    '"',
    'a = [}',
    'a = {]',
    '[]',
    '\u0000',
    'a..b = 1',
    '\r',
  ])('comes to an end whatever it is given: %j', (text) => {
    expect(() => locate(text.repeat(3), (quoted) => quoted)).not.toThrow()
  })
})

describe('lines and columns', () => {
  it('count from one', () => {
    const lines = new LineIndex('ab\n\nc\r\nd')
    expect(lines.lineCount).toBe(4)
    expect([0, 1, 2, 3, 4, 5, 7, 8].map((offset) => Object.values(lines.placeOf(offset)))).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [2, 1],
      [3, 1],
      [3, 2],
      [4, 1],
      [4, 2],
    ])
  })
})
