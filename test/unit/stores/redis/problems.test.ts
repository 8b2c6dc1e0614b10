import { describe, expect, test } from 'vitest'
import { movedTo, openingProblemOf, problemOf } from '../../../../src/stores/redis/problems.ts'
import type { RedisTarget } from '../../../../src/stores/redis/target.ts'

const target: RedisTarget = {
  host: 'redis.example',
  port: 6379,
  database: 0,
  username: null,
  password: 'correct-horse',
  tls: null,
}

/** As Node tells of a connection. */
const network = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.5:6379`), { code })

describe('what Redis answers', () => {
  test.each([
    ['LOADING Redis is loading the dataset in memory', /is used as soon as it has \(LOADING\)/],
    ["READONLY You can't write against a read only replica. script: 1f, on @user_script:14.", /\(READONLY\)/],
    [
      "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:14.",
      /raise maxmemory.*\(OOM\)/,
    ],
    ['MISCONF Redis is configured to save RDB snapshots, but it cannot', /a full disk \(MISCONF\)/],
    ['NOAUTH Authentication required.', /set storage\.redis\.password or storage\.redis\.passwordFile \(NOAUTH\)/],
    ['WRONGPASS invalid username-password pair or user is disabled.', /\(WRONGPASS\)/],
    ['CLUSTERDOWN Hash slot not served', /see CLUSTER INFO \(CLUSTERDOWN\)/],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL', /SCRIPT KILL ends it \(BUSY\)/],
    ['DENIED Redis is running in protected mode because', /requirepass.*\(DENIED\)/],
    ['MOVED 3999 127.0.0.1:6381', /another node of the cluster, 127\.0\.0\.1:6381, which is asked next \(MOVED\)/],
    ['ERR max number of clients reached', /raise maxclients/],
  ])('%s: is a state of the server', (message, sentence) => {
    const problem = problemOf(new Error(message), target)
    expect(problem.text).toMatch(sentence)
    expect(problem.scope).toBe('server')
  })

  test.each([
    [
      "NOPERM this user has no permissions to run the 'eval' command",
      "this user has no permissions to run the 'eval' command",
    ],
    [
      "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:14.",
      "The user executing the script can't run this command or subcommand",
    ],
  ])('%s: is forbidden to this user', (message, what) => {
    expect(problemOf(new Error(message), target)).toEqual({
      text: `The ACL of Redis forbids what the gateway needs (${what}); give its user ~lmx-gateway:* &lmx-gateway:* +@all -@dangerous +info.`,
      scope: 'user',
    })
  })

  test.each([
    'ERR wrong number of arguments',
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'UNSETTLED the fleet has begun anew',
  ])('%s: says nothing of other calls', (message) => {
    expect(problemOf(new Error(message), target)).toEqual({ text: message, scope: 'call' })
  })

  test('never the password, whoever repeats it', () => {
    expect(problemOf(new Error('ERR what is AUTH correct-horse'), target).text).toBe('ERR what is AUTH ***')
  })
})

describe('the way to Redis', () => {
  test.each([
    ['ECONNREFUSED', 'nothing listens there; start Redis, or check storage.redis.url'],
    ['ENOTFOUND', 'this name has no address; check storage.redis.url'],
    ['EHOSTUNREACH', 'it cannot be reached'],
  ])('%s is told with the place', (code, why) => {
    expect(problemOf(network(code), target)).toEqual({
      text: `Redis at redis.example:6379: ${why} (${code}).`,
      scope: 'server',
    })
  })

  test('a connection that is closed as soon as it is opened may want TLS', () => {
    const hint = /does it want TLS \(rediss:\/\/\)\?$/
    for (const error of [new Error('Socket closed unexpectedly'), network('ECONNRESET')]) {
      expect(openingProblemOf(error, target)).toMatch(hint)
      expect(openingProblemOf(error, { ...target, tls: { ca: undefined } })).not.toMatch(hint)
      expect(problemOf(error, target).text).not.toMatch(hint)
    }
  })
})

test.each([
  ['MOVED 3999 127.0.0.1:6381', { host: '127.0.0.1', port: 6381 }],
  ['MOVED 3999 2001:db8::1:6381', { host: '2001:db8::1', port: 6381 }],
  ['MOVED 3999 :6381', { host: '', port: 6381 }],
  ['CLUSTERDOWN Hash slot not served', null],
])('%s', (message, node) => {
  expect(movedTo(new Error(message))).toEqual(node)
})
