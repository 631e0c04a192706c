// MQTT.js as a tool for the tests: node client.js URL OPTIONS SCENARIO TOPIC
//
// OPTIONS is JSON for mqtt.connect; files named in `caFile`, `certFile`, `keyFile` are read. Prints one line for each
// thing that happened, and ends with status 0 when the scenario has.
'use strict'
const fs = require('fs')
const mqtt = require('mqtt')

const [url, optionText, scenario, topic] = process.argv.slice(2)
const options = { reconnectPeriod: 0, connectTimeout: 10000, ...JSON.parse(optionText) }
for (const name of ['ca', 'cert', 'key']) {
  if (options[`${name}File`]) options[name] = fs.readFileSync(options[`${name}File`])
}

const client = mqtt.connect(url, options)
const say = (...words) => console.log(words.join(' '))
const fail = (error) => { say('error', error.message); process.exit(1) }
client.on('error', fail)
client.on('disconnect', (packet) => say('disconnect', packet.reasonCode))

const scenarios = {
  // One message of each QoS to itself.
  echo () {
    const came = []
    client.on('message', (from, payload, packet) => {
      came.push(packet.qos)
      say('message', from, packet.qos, payload.toString())
      if (came.length === 3) client.end()
    })
    client.subscribe(topic, { qos: 2 }, (error) => {
      if (error) return fail(error)
      for (const qos of [0, 1, 2]) client.publish(topic, `payload ${qos}`, { qos })
    })
  },
  // A thousand messages to itself, in order.
  order () {
    let next = 0
    client.on('message', (from, payload) => {
      if (Number(payload) !== next) fail(new Error(`got ${payload} instead of ${next}`))
      next += 1
      if (next === 1000) { say('order', next); client.end() }
    })
    client.subscribe(topic, { qos: 1 }, () => {
      for (let number = 0; number < 1000; number++) client.publish(topic, String(number), { qos: 1 })
    })
  },
  // A large message to itself.
  large () {
    const sent = Buffer.alloc(900 * 1024, 'abcdefg')
    client.on('message', (from, payload) => {
      say('large', payload.equals(sent))
      client.end()
    })
    client.subscribe(topic, { qos: 1 }, () => client.publish(topic, sent, { qos: 1 }))
  },
  // A retained message for whoever comes later.
  retain () {
    client.publish(topic, 'kept', { qos: 1, retain: true }, () => {
      client.once('message', (from, payload, packet) => {
        say('retained', packet.retain, payload.toString())
        client.publish(topic, '', { qos: 1, retain: true }, () => client.end())
      })
      client.subscribe(topic)
    })
  },
  // Properties of 5.0, there and back.
  properties () {
    const sent = {
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([0, 255]),
      userProperties: { key: ['1', '2'] },
      payloadFormatIndicator: true
    }
    client.on('message', (from, payload, packet) => {
      const { contentType, responseTopic, correlationData, userProperties } = packet.properties
      say('properties', contentType, responseTopic, correlationData.toString('hex'), JSON.stringify(userProperties))
      client.end()
    })
    client.subscribe(topic, { qos: 1 }, () => client.publish(topic, 'x', { qos: 1, properties: sent }))
  },
  // Waits until told to end, or until the broker ends it.
  wait () {
    client.on('message', (from, payload) => say('message', payload.toString()))
    client.on('close', () => { say('close'); process.exit(0) })
    client.subscribe(topic, { qos: 1 }, () => say('subscribed'))
  },
  // Connects and ends.
  connect () { client.end() }
}

client.on('connect', (packet) => {
  say('connect', packet.sessionPresent)
  scenarios[scenario]()
})
