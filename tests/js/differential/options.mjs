// The sets of options that the rows are asked with, in the words of the official server.

export const options = {
  'default': {},
  // What times out does so soon, and what must not has three seconds, which a machine that pauses needs.
  'quick': { pingInterval: 400, pingTimeout: 3000, upgradeTimeout: 1000 },
  'cors': {
    cors: {
      origin: ['http://good.test'],
      credentials: true,
      methods: ['GET', 'POST'],
      allowedHeaders: ['x-one', 'x-two'],
      exposedHeaders: ['x-three'],
      maxAge: 86400,
      optionsSuccessStatus: 200,
    },
  },
  'cors for all': { cors: { origin: '*' } },
  'cookie': { cookie: true },
  'own cookie': {
    cookie: { name: 'at', path: '/engine.io/', httpOnly: false, secure: true, sameSite: 'strict' },
  },
  'cookie without a path': { cookie: { path: false } },
  'revision 3': { allowEIO3: true },
  'quick revision 3': { allowEIO3: true, pingInterval: 400, pingTimeout: 3000 },
  'polling only': { transports: ['polling'] },
  'websocket only': { transports: ['websocket'] },
  'no upgrades': { allowUpgrades: false },
  '100 bytes': { maxHttpBufferSize: 100 },
  'all compressed': { httpCompression: { threshold: 0 } },
  'nothing compressed': { httpCompression: false },
  'initial packet': { initialPacket: 'hi' },
  'no slash': { addTrailingSlash: false },
}
