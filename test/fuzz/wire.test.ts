import { describeGroup } from './engine/describe-group.ts'

describeGroup('wire')
