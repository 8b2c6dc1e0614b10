/** Every host kind before a stub of its server. */

import { expect, it } from 'vitest'
import { hostKindNames } from '../../src/hosts/kinds/host-kind.ts'
import { hostKind, hostKinds } from '../../src/hosts/kinds/kinds.ts'
import { stubs } from '../kit/kind-servers/stubs.ts'
import { hostKindContract } from './host-kind.contract.ts'

for (const [label, plan] of Object.entries(stubs)) hostKindContract(label, plan)

it('has every kind in the table under its own name, with a stub, and the generic one last', () => {
  expect(hostKindNames.map((name) => hostKind(name).name)).toEqual(hostKindNames)
  expect(new Set(hostKinds.map(({ name }) => name))).toEqual(new Set(hostKindNames))
  expect(new Set(Object.values(stubs).map(({ kind }) => kind))).toEqual(new Set(hostKindNames))
  expect(hostKinds.at(-1)?.name).toBe('openai')
})

it('begins with the decided number of slots', () => {
  const slots = Object.fromEntries(hostKinds.map(({ name, slotsDefault }) => [name, slotsDefault]))
  expect(slots).toEqual({
    lmx: 2,
    openai: 4,
    vllm: 16,
    sglang: 16,
    'llama-cpp': 4,
    ollama: 1,
    'lm-studio': 4,
    'mlx-lm': 1,
  })
})

it('says what each server does with a request whose client went away', () => {
  const abandoned = Object.fromEntries(
    hostKinds.map(({ name, onDisconnect, finishesAbandoned }) => [name, [onDisconnect, finishesAbandoned]]),
  )
  expect(abandoned).toEqual({
    lmx: ['cancel', 'whole'],
    openai: ['cancel', 'never'],
    vllm: ['cancel', 'never'],
    sglang: ['cancel', 'never'],
    'llama-cpp': ['cancel', 'never'],
    ollama: ['cancel', 'never'],
    'lm-studio': ['cancel', 'never'],
    'mlx-lm': ['drain', 'always'],
  })
})

it('says what each server does with a prompt that is too long', () => {
  expect(Object.fromEntries(hostKinds.map(({ name, overlong }) => [name, overlong]))).toEqual({
    lmx: 'trims_by_characters',
    openai: 'refuses_both',
    vllm: 'refuses_both',
    sglang: 'refuses_both',
    'llama-cpp': 'refuses_prompt',
    ollama: 'trims',
    'lm-studio': 'refuses_prompt',
    'mlx-lm': 'refuses_prompt',
  })
})

it('claims more than documentation only for the kind whose stub is made of captures', () => {
  expect(hostKinds.filter((kind) => !kind.documentationOnly).map(({ name }) => name)).toEqual(['lmx'])
})
