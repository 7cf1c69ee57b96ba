// Lists that the code keeps for unions that are spelt out: none of them lacks a member.

import type { Awaitable } from 'tlacacoca/authority'
import type { FingerprintStyle, KeyKind, KeyUsage } from 'tlacacoca/certificate'
import type { Awaitable as AwaitableOfIdentity } from 'tlacacoca/identity'
import type { Awaitable as AwaitableOfTofu } from 'tlacacoca/tofu'
import { expectTypeOf } from 'vitest'
import type { KEY_USAGES } from '../../src/certificate/extensions.ts'
import type { STYLES } from '../../src/certificate/fingerprint.ts'
import type { KEY_KINDS } from '../../src/certificate/generate-options.ts'

expectTypeOf<(typeof KEY_KINDS)[number]>().toEqualTypeOf<KeyKind>()
expectTypeOf<(typeof STYLES)[number]>().toEqualTypeOf<FingerprintStyle>()
expectTypeOf<(typeof KEY_USAGES)[number]>().toEqualTypeOf<KeyUsage>()

expectTypeOf<Awaitable<number>>().toEqualTypeOf<number | Promise<number>>()
expectTypeOf<AwaitableOfIdentity<number>>().toEqualTypeOf<Awaitable<number>>()
expectTypeOf<AwaitableOfTofu<number>>().toEqualTypeOf<Awaitable<number>>()
