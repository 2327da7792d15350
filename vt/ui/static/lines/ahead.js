// Has the server speak what is typed as soon as somebody rests: so a save finds it spoken, and it is heard at once.
const REST_MS = 300, TOO_SOON = 429;

export class Ahead {
  constructor(bench) {
    this.bench = bench;
    this.told = '';
  }
  // Something is changed: it is told when nothing more comes for a moment.
  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), REST_MS);
  }
  stop() { clearTimeout(this.timer); }
  // Tells the server what is changed now, once. Speakers are left out: with one of them many lines may change.
  tell() {
    this.stop();
    const {data, told, changes, isSaving} = this.bench, {lines, added, speakers} = changes;
    const body = JSON.stringify({version: data.version, ...changes});
    const isSpoken = [...lines, ...added].some(line => line.text?.trim());
    if (!isSpoken || speakers.length || !told.over || isSaving || body === this.told) return;
    this.told = body;
    this.#send(told.address.replace(/lines$/, 'drafts'), body);
  }
  // Where the server has had too much of it, what stands there then is told later.
  async #send(address, body) {
    try {
      const answer = await fetch(address, {method: 'POST', headers: {'Content-Type': 'application/json'}, body});
      if (answer.status !== TOO_SOON || !this.bench.data) return;
      this.told = '';
      this.wait();
    } catch { /* the save will tell */ }
  }
}
