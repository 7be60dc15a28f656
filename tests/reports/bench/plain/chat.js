// A chat without a framework: what a page has to do at least for a message.
const [join, room, list, composer, field] = ["join", "room", "messages", "composer", "field"].map((id) => document.getElementById(id));
const known = new Set();

function show({ messageId, senderName, content }) {
  if (known.has(messageId)) return;
  known.add(messageId);
  const row = document.createElement("li");
  const sender = document.createElement("b");
  sender.textContent = senderName;
  row.append(sender, ` ${content}`);
  list.append(row);
  window.known = known.size; // for the benchmark
}

join.addEventListener("submit", (event) => {
  event.preventDefault();
  const socket = new WebSocket(new URLSearchParams(location.search).get("server"));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "message") show(message);
  };
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const clientMessageId = crypto.randomUUID();
    socket.send(JSON.stringify({ action: "sendMessage", clientMessageId, roomId: "general", content: field.value }));
    field.value = "";
  });
  join.hidden = true;
  room.hidden = false;
});
