import { describe, expect, test } from 'vitest'
import { keptReference } from '../../../src/wire/kept-reference.ts'

const found = (text: string) => keptReference(Buffer.from(text))
const ofInput = (...items: unknown[]) => found(JSON.stringify({ model: 'm', input: items }))
const message = { role: 'user', content: 'Hello' }

describe('what a host keeps and a body refers to', () => {
  test.each([
    ['{"model":"m","conversation":"conv_1"}'],
    ['{"conversation":{"id":"conv_1"},"model":"m"}'],
    ['{"model":"m","conversation":null,"conversation":"conv_1"}'],
    ['{"model":"m","Conversation":"conv_1"}'],
    ['{"model":"m","c\\u006fnversation":"conv_1"}'],
  ])('%s: a conversation', (text) => {
    expect(found(text)).toBe('conversation')
  })

  test.each([
    ['{"model":"m","background":true}'],
    ['{"model":"m","background":false,"background":true}'],
    ['{"model":"m","Background":1}'],
    ['{"model":"m","b\\u0061ckground":"yes"}'],
  ])('%s: an answer in the background', (text) => {
    expect(found(text)).toBe('background')
  })

  test.each(['false', 'null'])('background of %s is none', (value) => {
    expect(found(`{"model":"m","background":${value}}`)).toBeNull()
  })

  test.each([
    ['an item by its type', '[{"type":"item_reference","id":"msg_1"}]'],
    ['with its type behind', '[{"id":"msg_1","type":"item_reference"}]'],
    ['with escapes', '[{"type":"item\\u005freference","id":"msg_1"}]'],
    ['with escapes in the key', '[{"\\u0074ype":"item_reference","id":"msg_1"}]'],
    ['among others', `[${JSON.stringify(message)},"}{", {"type":"item_reference","id":"msg_1"}]`],
    ['with another type behind', '[{"type":"item_reference","id":"msg_1","type":"message"}]'],
    ['without a type', '[{"id":"msg_1"}]'],
    ['with the type null', '[{"type":null,"id":"msg_1"}]'],
  ])('%s', (_what, input) => {
    expect(found(`{"model":"m","input":${input}}`)).toBe('input')
    expect(found(`{"model":"m","input":"x","input" : ${input}}`)).toBe('input')
  })

  test('nothing else is', () => {
    expect(found('{"model":"m","conversation":null,"input":"item_reference"}')).toBeNull()
    expect(found('{"model":"m"}')).toBeNull()
    expect(found('{"model":"m","metadata":{"conversation":"c"},"input":[]}')).toBeNull()
    expect(
      ofInput(
        message,
        { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'item_reference' }] },
        { role: 'assistant', id: 'msg_2', content: '{"type":"item_reference","id":"x"}' },
        { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{"type":"item_reference"}' },
        { type: 'function_call_output', call_id: 'c', output: [{ type: 'item_reference', id: 'x' }] },
        { type: 'reasoning', id: 'rs_1', summary: [] },
      ),
    ).toBeNull()
  })
})
