// Who this visit may be: [{ label, headers }], filled in by the demo, or where one signs in (OpenID Connect). With
// neither, the visitor brings a token.
export const { viewers = [], oidc } = JSON.parse(document.getElementById('config').textContent);

// Each browser tab may be somebody else. Only the label is kept: tokens come with the page, and go with it.
const KEY = 'customer-gateway:viewer';

export const recall = () => viewers.find(({ label }) => label === sessionStorage.getItem(KEY)) ?? viewers[0];

export const remember = ({ label }) => sessionStorage.setItem(KEY, label);
