document.getElementById("x").innerHTML = "<p>Hello</p>";
window.app = {csrfToken: 'aAoF2gyIZ71EaV1xEA3tsobVl0jcBHXNw7L2'};
