import { expect, it } from 'vitest'
import { placesIn } from '../../src/cli/serve/places.ts'

const text = `a = 1
  b = { c = 2, d = 3 }
[pages.media_types]
".gmi" = "x"
".tar.gz" = "y"
".tar" = "z"
[[rules]]
path = "/"
[[rules]]
 host = "h"
[rules.more]
deep = 1
`

it.each([
  ['a', 1, 1],
  ['b', 2, 3],
  ['b.d', 2, 16],
  ['pages.media_types..gmi', 4, 1],
  ['pages.media_types..tar.gz', 5, 1],
  ['pages.media_types..tar', 6, 1],
  ['rules[0].path', 8, 1],
  ['rules[1].host', 10, 2],
  ['rules[1].more.deep', 12, 1],
  // What is not there has the place of what is around it.
  ['rules[1].path', 9, 3],
  ['rules[7]', 7, 3],
  ['a[3]', 1, 1],
  ['b.c.e', 2, 9],
  ['ab', 1, 1],
  ['', 1, 1],
])('%s is at %i:%i', (key, line, column) => {
  expect(placesIn(text)(key)).toEqual({ line, column })
})
