// Writes keeper/config/known_chains.json from what published packages say of each chain.
//
//   mkdir build/chains && cd build/chains && npm init -y
//   npm install viem @aave-dao/aave-address-book @arbitrum/sdk
//   node ../../scripts/known_chains.mjs . ../../keeper/config/known_chains.json
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const [folder, target] = process.argv.slice(2).map(each => resolve(each))
const require = createRequire(`${folder}/x.js`)
const viem = require('viem/chains')
const book = require('@aave-dao/aave-address-book')
const { getArbitrumNetworks } = require('@arbitrum/sdk')
const version = name => JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`)).version
const source = name => `npm ${name} ${version(name)}`
const [CHAINS, BOOK, NITRO] = ['viem', '@aave-dao/aave-address-book', '@arbitrum/sdk'].map(source)

// What people call a chain here, where viem's own name of the definition is another.
const NAMES = { 1: 'ethereum', 56: 'bnb' }
const OTHERS = [
  25, 130, 204, 250, 252, 480, 999, 1135, 1284, 1285, 1329, 2222, 2741, 8217, 33139, 34443, 42170, 42793,
  60808, 80094, 81457, 7777777, 31612,
]

const markets = Object.entries(book).filter(([name, each]) => /^AaveV3/.test(name) && each.CHAIN_ID)
const nitro = new Set(getArbitrumNetworks().map(each => each.chainId))
const ids = new Set([...markets.map(([, each]) => each.CHAIN_ID), ...nitro, ...OTHERS])

const rows = [...ids].sort((a, b) => a - b).map(id => {
  // Several definitions may share an id (previews of the same chain): the first that viem lists counts.
  const [key, chain] = Object.entries(viem).find(([, each]) => each.id === id) ?? []
  if (!chain) return null
  const slug = key.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()
  const row = {
    id,
    name: NAMES[id] ?? slug,
    kind: '',
    native: chain.nativeCurrency.symbol,
    explorer: chain.blockExplorers?.default.url.replace(/\/$/, ''),
    sources: { chain: `${CHAINS}, chains/definitions ${key}` },
  }
  if (chain.blockTime) row.block_time = chain.blockTime / 1000
  if (chain.contracts?.gasPriceOracle) {
    row.kind = 'op-stack'
    row.data_fee = 'op-stack'
    row.sources.kind = row.sources.data_fee = `${CHAINS}, its contracts.gasPriceOracle`
  }
  if (nitro.has(id)) {
    row.kind = 'arbitrum'
    row.sources.kind = `${NITRO}, getArbitrumNetworks()`
  }
  for (const [name, each] of markets.filter(([, each]) => each.CHAIN_ID === id)) {
    // Where the native coin is a token by itself (Celo), it is its own wrapped one.
    const names = [`w${row.native}`.toLowerCase(), row.native.toLowerCase()]
    const found = Object.entries(each.ASSETS).find(([a]) => names.includes(a.toLowerCase()))
    if (found && !row.wrapped) {
      row.wrapped = { symbol: found[0], address: found[1].UNDERLYING }
      row.sources.wrapped = `${BOOK}, ${name}.ASSETS.${found[0]}`
    }
  }
  const feeds = Object.entries(book).filter(([name]) => /^Chainlink/.test(name))
  const own = markets.filter(([, each]) => each.CHAIN_ID === id).map(([name]) => name.replace('AaveV3', 'Chainlink'))
  for (const [name, each] of feeds.filter(([name]) => own.includes(name))) {
    const [feed] = Object.entries(each).filter(([f]) => /sequencer.*uptime/i.test(f))
    if (feed) {
      row.sequencer_feed = feed[1]
      row.sources.sequencer_feed = `${BOOK}, ${name}.${feed[0]}`
    }
    const price = Object.entries(each).find(([f]) => f === `${row.native}__USD` || f === `${row.native}_USD`)
    if (price) {
      row.native_feed = price[1]
      row.sources.native_feed = `${BOOK}, ${name}.${price[0]}`
    }
  }
  return row
})
writeFileSync(target, JSON.stringify(rows.filter(Boolean), null, 2) + '\n')
