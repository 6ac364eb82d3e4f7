// SPDX-License-Identifier: Apache-2.0
// Reads messages as Node's HTTP parser (llhttp) and its URL do; the same in and out as ours.c.
'use strict';
const fs = require('fs');
const { HTTPParser } = require('_http_common');

const binding = process.binding('http_parser');
const methods = binding.allMethods || binding.methods; // in the order of their numbers

const hex = (s) => Buffer.from(s, 'latin1').toString('hex');
function readMessage(data, type) {
  const m = { r: 'more', fields: [], body: '', end: 'more', used: 0 };
  const parser = new HTTPParser();
  parser.initialize(type, {});
  const add = (list) => {
    for (let i = 0; i < list.length; i += 2) m.fields.push([hex(list[i]), hex(list[i + 1])]);
  };
  let inBody = false;
  let url = '';
  // long lists of fields come in pieces, the target with the first; fields behind a body are trailers
  parser[HTTPParser.kOnHeaders] = (list, piece) => {
    if (inBody) return;
    add(list);
    url += piece;
  };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, list, method, piece, status) => {
    if (list) add(list);
    m.r = 'ok';
    m.method = method === undefined ? '' : hex(methods[method]);
    m.target = hex(url + (piece || ''));
    m.status = status;
    inBody = true;
    return 0;
  };
  parser[HTTPParser.kOnBody] = (b, start, length) => {
    m.body += (start === undefined ? b : b.subarray(start, start + length)).toString('hex');
  };
  let done = false;
  parser[HTTPParser.kOnMessageComplete] = () => { done = true; };
  let at = 0;
  let result = 0;
  for (; at < data.length && !done; at++) { // byte by byte, so that the end of the message is seen
    result = parser.execute(data.subarray(at, at + 1));
    if (result instanceof Error) break;
  }
  if (!(result instanceof Error) && !done) result = parser.finish();
  m.used = at;
  if (result instanceof Error) m.end = 'bad';
  else if (done) m.end = 'done';
  if (m.r === 'more' && result instanceof Error) m.r = 'bad';
  parser.close();
  return m;
}

function readPath(data) {
  try {
    const u = new URL('http://a.example.com' + data.toString('latin1'));
    if (u.search || u.hash || u.host !== 'a.example.com') return { r: 'bad' };
    return { r: 'ok', decoded: Buffer.from(decodeURIComponent(u.pathname), 'utf8').toString('hex') };
  } catch (e) {
    return { r: 'bad' };
  }
}

const input = fs.readFileSync(0);
const out = [];
for (let at = 0; at < input.length;) {
  const n = input.readUInt32BE(at + 1);
  const kind = String.fromCharCode(input[at]);
  const data = input.subarray(at + 5, at + 5 + n);
  at += 5 + n;
  out.push(JSON.stringify(kind === 'q' ? readMessage(data, HTTPParser.REQUEST)
    : kind === 's' ? readMessage(data, HTTPParser.RESPONSE) : readPath(data)));
}
fs.writeSync(1, out.join('\n') + '\n');
