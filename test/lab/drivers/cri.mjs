// Asks containerd by its CRI, as crictl would: `node cri.mjs Status|RuntimeConfig`. Prints the answer's bytes as Latin-1
// and, for an error, `grpc-status N`. What the calls mean: cri-api, runtime/v1/api.proto.
import { connect } from 'node:http2';
import { createConnection } from 'node:net';

const [method] = process.argv.slice(2);
// StatusRequest{verbose: true}
const message = method === 'Status' ? Buffer.from([0x08, 0x01]) : Buffer.alloc(0);
const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
const session = connect('http://localhost', {
  createConnection: () => createConnection('/run/containerd/containerd.sock'),
});
session.on('error', (error) => fail(error.message));
const call = session.request({
  ':method': 'POST',
  ':path': `/runtime.v1.RuntimeService/${method}`,
  'content-type': 'application/grpc',
  te: 'trailers',
});
const chunks = [];
let status;
const note = (headers) => {
  status ??= headers['grpc-status'];
};
call.on('response', note).on('trailers', note);
call.on('data', (chunk) => chunks.push(chunk));
call.on('end', () => {
  session.close();
  if (status !== '0') fail(`grpc-status ${status}`);
  else process.stdout.write(Buffer.concat(chunks).subarray(5).toString('latin1'));
});
call.end(frame);

function fail(text) {
  process.stdout.write(text);
  process.exitCode = 1;
}
