// The article's store: who is here, whether the link stands, and its pattern 6, two checks against duplicates.
import { create } from "zustand";

export interface Message {
  messageId: string;
  senderId: string;
  senderName: string;
  content: string;
  timestamp: number;
}

interface ChatState {
  name: string;
  isConnected: boolean;
  messages: Message[];
  join: (name: string) => void;
  leave: () => void;
  setConnected: (connected: boolean) => void;
  addMessage: (message: Message) => void;
}

export const useChatStore = create<ChatState>((set) => ({
  name: "",
  isConnected: false,
  messages: [],
  join: (name) => set({ name }),
  leave: () => set({ name: "", messages: [] }),
  setConnected: (isConnected) => set({ isConnected }),
  addMessage: (message) =>
    set((state) => {
      const isDuplicate = state.messages.some(
        (m) =>
          m.messageId === message.messageId ||
          (m.senderId === message.senderId &&
            m.content === message.content &&
            Math.abs(m.timestamp - message.timestamp) < 5000)
      );
      if (isDuplicate) return state;
      return { messages: [...state.messages, message] };
    }),
}));
