// What the test has a page do. Each answers with what JSON can tell.

async function fetched(url, options = {}) {
  const response = await fetch(url, options);
  return {
    status: response.status,
    redirected: response.redirected,
    fields: Object.fromEntries(response.headers),
    text: await response.text(),
  };
}

// The error's name, for what a page must not see.
async function refused(url, options = {}) {
  try {
    await fetch(url, options);
  } catch (error) {
    return error.name;
  }
  return 'no error';
}

async function page() {
  const picture = document.getElementById('picture');
  await picture.decode();
  const styled = document.getElementById('styled');
  return {
    color: getComputedStyle(styled).color,
    text: styled.textContent,
    size: [picture.naturalWidth, picture.naturalHeight],
    protocol: performance.getEntriesByType('navigation')[0].nextHopProtocol,
  };
}

async function echoed(bytes) {
  const sent = new Uint8Array(bytes).map((_, index) => index * 7 + (index >> 8));
  const response = await fetch('/echo', {method: 'POST', body: sent});
  const got = new Uint8Array(await response.arrayBuffer());
  return {
    status: response.status,
    bytes: got.length,
    same: got.every((byte, index) => byte === sent[index]),
  };
}

async function form() {
  const data = new FormData();
  data.append('name', 'κόσμε');
  data.append('file', new Blob(['content']), 'file.txt');
  return fetched('/reflect', {method: 'POST', body: data});
}

// The sizes of what is read, one read after the other.
async function streamed(url) {
  const reader = (await fetch(url)).body.getReader();
  const sizes = [];
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return sizes;
    sizes.push(value.length);
  }
}

// Leaves a stream after its first piece.
async function abandoned(url) {
  const abort = new AbortController();
  const reader = (await fetch(url, {signal: abort.signal})).body.getReader();
  await reader.read();
  abort.abort();
  return reader.read().then(() => 'no error', error => error.name);
}

async function sizes(url) {
  const text = await (await fetch(url, {cache: 'no-store'})).text();
  const entry = performance.getEntriesByName(new URL(url, location).href).pop();
  return {text: text.length, encoded: entry.encodedBodySize, decoded: entry.decodedBodySize};
}

class Socket {
  constructor(url) {
    this.messages = [];
    this.waiting = [];
    this.socket = new WebSocket(url);
    this.socket.binaryType = 'arraybuffer';
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error('the WebSocket failed'));
    });
    this.closed = new Promise(resolve => {
      this.socket.onclose = event =>
        resolve({code: event.code, reason: event.reason, clean: event.wasClean});
    });
    this.socket.onmessage = event => {
      this.messages.push(event.data);
      if (this.waiting.length) this.waiting.shift()(this.messages.shift());
    };
  }
  send(data) {
    this.socket.send(data);
    return this;
  }
  next() {
    if (this.messages.length) return this.messages.shift();
    return new Promise(resolve => this.waiting.push(resolve));
  }
}

function socketUrl(path = '/ws') {
  return location.origin.replace('http', 'ws') + path;
}

async function conversation() {
  const socket = new Socket(socketUrl());
  await socket.opened;
  const bytes = new Uint8Array(256).map((_, index) => index);
  const long = 'the quick brown fox '.repeat(52429);
  // More than all windows hold, and without anything to refer back to.
  const noise = new Uint8Array(1 << 20);
  for (let at = 0; at < noise.length; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  const results = {
    extensions: socket.socket.extensions,
    text: await socket.send('κόσμε').next(),
    empty: await socket.send('').next(),
    binary: [...new Uint8Array(await socket.send(bytes).next())],
    blob: new TextDecoder().decode(await socket.send(new Blob(['of a blob'])).next()),
    long: (await socket.send(long).next()) === long,
    again: (await socket.send(long).next()) === long,
    noise: new Uint8Array(await socket.send(noise).next()).every((b, i) => b === noise[i]),
  };
  for (let i = 0; i < 100; ++i) socket.send(`${i}`);
  results.order = [];
  for (let i = 0; i < 100; ++i) results.order.push(Number(await socket.next()));
  socket.socket.close(4001, 'enough');
  return {...results, closed: await socket.closed};
}

// How the server answers close(...arguments).
async function closing(...how) {
  const socket = new Socket(socketUrl());
  await socket.opened;
  socket.socket.close(...how);
  return socket.closed;
}

async function tooLong(bytes) {
  const socket = new Socket(socketUrl());
  await socket.opened;
  socket.send(new Uint8Array(bytes));
  return socket.closed;
}

async function socketRefused(path) {
  return new Socket(socketUrl(path)).closed;
}

// Left open, for the server to end.
async function keepOpen(url) {
  window.kept = new Socket(url);
  await window.kept.opened;
  return window.kept.send('still here').next();
}

async function keptClosed() {
  return window.kept.closed;
}
