// Inputs of a target for fast-check, which keeps the seed, prints it, and shrinks what fails.
//
// The bytes come from our own mutations and not from fast-check's arrays: those take longer to make an input than most
// parsers take to read it.

import * as fc from 'fast-check'
import { smaller } from './minimise.ts'
import { type Material, makeInput } from './mutations.ts'
import { Random } from './random.ts'

class InputArbitrary extends fc.Arbitrary<Uint8Array> {
  readonly #material: Material

  constructor(material: Material) {
    super()
    this.#material = material
  }

  override generate(random: fc.Random): fc.Value<Uint8Array> {
    return new fc.Value(makeInput(new Random(random.nextInt(0, 0x7fffffff)), this.#material), undefined)
  }

  override canShrinkWithoutContext(value: unknown): value is Uint8Array {
    return value instanceof Uint8Array
  }

  override shrink(value: Uint8Array): fc.Stream<fc.Value<Uint8Array>> {
    return fc.stream(smaller(value)).map((input) => new fc.Value(input, undefined))
  }
}

export function inputs(material: Material): fc.Arbitrary<Uint8Array> {
  return new InputArbitrary(material)
}
