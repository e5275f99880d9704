// Sends the file of a form[data-upload] in parts, and goes on after a lost line or a closed page.
(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form || !window.fetch) return;
  const find = (name) => form.querySelector(`[data-upload-${name}]`);
  const bar = find("state").querySelector("progress");
  const button = form.querySelector("button:not([type=button])");
  const pause = find("pause");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const TRIES = 7;
  let isPaused = false;
  let spoken = -1;

  const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });
  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB", "TB"];
    let n = 0;
    while (bytes >= 1024 && n < units.length - 1) { bytes /= 1024; n += 1; }
    return `${bytes.toFixed(n > 1 ? 1 : 0)} ${units[n]}`;
  };
  const say = (text) => { find("text").textContent = text; };
  const announce = (text) => { document.getElementById("announcer").textContent = text; };
  const show = (offset, whole) => {
    const share = whole ? Math.floor((100 * offset) / whole) : 100;
    bar.value = share;
    say(`${share} % of ${size(whole)}`);
    if (Math.floor(share / 25) > spoken) {  // four times, not at each part
      spoken = Math.floor(share / 25);
      announce(`${share} % uploaded`);
    }
  };

  // A refusal that says what to do is thrown; a line that fails is tried again by whoever calls.
  class Refused extends Error {
    constructor(status, problem) {
      super(problem.detail || `The server answered ${status}.`);
      Object.assign(this, { status, problem });
    }
  }
  const ask = async (method, url, body, headers = {}) => {
    const answer = await fetch(url, {
      method, body, credentials: "same-origin", headers: { "X-CSRFToken": token, ...headers },
    });
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, content);
    return content;
  };
  const json = (method, url, content) =>
    ask(method, url, JSON.stringify(content), { "Content-Type": "application/json" });

  const remembered = (file) => `upload:${form.dataset.begin}:${file.name}:${file.size}:${file.lastModified}`;
  const store = (key, value) => {
    try { value === null ? localStorage.removeItem(key) : localStorage.setItem(key, value); } catch { /* goes on without */ }
  };
  const known = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

  const begin = async (file) => {
    const key = remembered(file);
    const uid = known(key);
    if (uid) {
      const before = await ask("GET", `${form.dataset.begin}/${uid}`).catch(() => null);
      if (before && ["open", "verifying", "done"].includes(before.state)) return before;
    }
    const sha256 = form.querySelector("[name=sha256]").value.trim();
    const made = await json("POST", form.dataset.begin, {
      name: file.name.slice(0, 255), size: file.size, ...(sha256 ? { sha256 } : {}),
    });
    store(key, made.uid);
    return made;
  };

  const sendParts = async (file, upload, url) => {
    let { offset } = upload;
    let failed = 0;
    show(offset, file.size);
    while (offset < file.size) {
      while (isPaused) await wait(200);
      const part = file.slice(offset, offset + upload.part_bytes);
      try {
        const answer = await ask("PATCH", url, part, {
          "Content-Type": "application/octet-stream", "Upload-Offset": String(offset),
        });
        offset = answer.offset;
        failed = 0;
      } catch (error) {
        if (error instanceof Refused && error.status === 409 && error.problem.code === "upload_gap") {
          offset = error.problem.received || 0;
        } else if (error instanceof Refused && error.status < 500) throw error;
        else if ((failed += 1) >= TRIES) throw new Error("The server cannot be reached. Press “Upload the file” to go on.");
        else {
          say(`The line was cut; trying again (${failed}).`);
          await wait(500 * 2 ** failed);
        }
      }
      show(offset, file.size);
    }
  };

  const finish = async (url) => {
    say("Checking the whole file …");
    let upload = await json("POST", `${url}/complete`, {});
    while (upload.state === "verifying") {
      await wait(1000);
      upload = await ask("GET", url);
    }
    if (upload.state !== "done") throw new Error(upload.state_reason || "The upload was refused.");
    return upload.artifact;
  };

  const work = async (file) => {
    const upload = await begin(file);
    const url = `${form.dataset.begin}/${upload.uid}`;
    let { artifact } = upload;
    if (upload.state === "open") await sendParts(file, upload, url);
    if (!artifact) artifact = await finish(url);
    store(remembered(file), null);
    announce("Uploaded");
    location.assign(`${form.dataset.done}${artifact.sha256}/`);
  };

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
    announce(isPaused ? "Paused" : "Going on");
  });
  form.addEventListener("submit", async (event) => {
    const file = form.querySelector("[type=file]").files[0];
    if (!file) return;  // the form says itself that one is needed
    event.preventDefault();
    find("problem").hidden = true;
    find("state").hidden = pause.hidden = false;
    button.disabled = true;
    try {
      await work(file);
    } catch (error) {
      const place = find("problem");
      place.hidden = false;
      place.textContent = error.message;
      find("state").hidden = pause.hidden = true;
      button.disabled = false;
      button.focus();
      spoken = -1;
      if (error instanceof Refused) store(remembered(file), null);
    }
  });
})();
