import '@mantine/core/styles.css';
import './desk.css';

import { MantineProvider, createTheme } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { WordsProvider } from './words';

// The darker shades: text on them, and they as text on white, keep a contrast of 4.5.
const theme = createTheme({ primaryColor: 'indigo', primaryShade: { light: 7, dark: 7 }, respectReducedMotion: true, autoContrast: true });

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <WordsProvider>
        <App />
      </WordsProvider>
    </MantineProvider>
  </StrictMode>,
);
