// SPDX-License-Identifier: Apache-2.0
// What a model that TensorFlow.js's converter wrote gives, as JSON.
//
//   NODE_PATH=… node tfjs_probe.js DIRECTORY IMAGES
//
// IMAGES is a file of JSON: [batch_size, height, width, 3].

const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs");

async function main(directory, images) {
  const read = (name) => fs.readFileSync(path.join(directory, name));
  const model = JSON.parse(read("model.json"));
  const groups = model.weightsManifest;
  const bytes = Buffer.concat(groups.flatMap((group) => group.paths.map(read)));
  const loaded = await tf.loadGraphModel(
    tf.io.fromMemory({
      modelTopology: model.modelTopology,
      signature: model.signature,
      weightSpecs: groups.flatMap((group) => group.weights),
      weightData: new Uint8Array(bytes).buffer,
    })
  );
  const batch = tf.tensor(JSON.parse(fs.readFileSync(images)));
  console.log(JSON.stringify(await loaded.predict(batch).array()));
}

main(...process.argv.slice(2));
