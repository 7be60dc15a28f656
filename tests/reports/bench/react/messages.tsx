// The messages as the article's readers would show them: an element for each.
import { useChatStore } from "./store";

export function Messages() {
  const messages = useChatStore((state) => state.messages);
  return (
    <ol role="log">
      {messages.map((message) => (
        <li key={message.messageId}><b>{message.senderName}</b> {message.content}</li>
      ))}
    </ol>
  );
}
